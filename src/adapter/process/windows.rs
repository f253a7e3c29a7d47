//! Process trees on Windows: a job object that kills on close. The child is started suspended and
//! resumed once it is in the job, so that nothing it starts can be outside.
#![allow(unsafe_code, reason = "the Win32 API has no safe form; each block says why it holds")]

use std::ffi::c_void;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicAccountingInformation,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, INFINITE, OpenProcess, OpenThread, PROCESS_SYNCHRONIZE, ResumeThread,
    THREAD_SUSPEND_RESUME, WaitForSingleObject,
};

use crate::domain::outcome::ChildEnd;

/// A handle that is closed when dropped.
#[derive(Debug)]
struct Handle(HANDLE);

// SAFETY: a kernel handle is a number; the calls made with it here are thread-safe.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by us and is closed once.
        unsafe { CloseHandle(self.0) };
    }
}

/// A child's job object.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    job: Arc<Handle>,
    leader: u32,
}

impl Tree {
    /// Starts the command inside a new job object.
    pub(super) fn spawn(command: &mut Command) -> std::io::Result<(Child, Tree)> {
        let job = new_job()?;
        let mut child = command.creation_flags(CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP).spawn()?;
        let process = child.as_raw_handle() as HANDLE;
        // SAFETY: both handles are open; the child is suspended and cannot end by itself.
        let assigned = unsafe { AssignProcessToJobObject(job.0, process) } != 0;
        let started = if assigned { resume(child.id()) } else { Err(std::io::Error::last_os_error()) };
        if let Err(error) = started {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        let leader = child.id();
        Ok((child, Tree { job: Arc::new(job), leader }))
    }

    /// Waits for the leader's end.
    pub(super) fn wait_for_leader(&self) {
        // SAFETY: opening by id is safe while the caller's `Child` keeps that id from being reused.
        let process = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, self.leader) };
        if !process.is_null() {
            let process = Handle(process);
            // SAFETY: the handle is open and allows waiting.
            unsafe { WaitForSingleObject(process.0, INFINITE) };
        }
    }

    /// Ctrl-Break to the group: the only thing that can be asked of a console process.
    pub(super) fn ask(&self) {
        // SAFETY: the call takes numbers only.
        unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.leader) };
    }

    /// Ends every process of the job.
    pub(super) fn kill(&self) {
        // SAFETY: the job's handle is open for as long as this value lives.
        unsafe { TerminateJobObject(self.job.0, 1) };
    }

    /// Whether anything but the ended leader is left of the job.
    pub(super) fn has_others(&self) -> bool {
        let mut info = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        let size = u32::try_from(size_of_val(&info)).unwrap_or(0);
        // SAFETY: `info` is of the class asked for and of the size given.
        let told = unsafe {
            QueryInformationJobObject(
                self.job.0,
                JobObjectBasicAccountingInformation,
                (&raw mut info).cast::<c_void>(),
                size,
                std::ptr::null_mut(),
            )
        };
        told != 0 && info.ActiveProcesses > 0
    }

    /// Their command lines are not known here.
    pub(super) fn members(&self) -> Vec<(u32, String)> {
        Vec::new()
    }
}

fn new_job() -> std::io::Result<Handle> {
    // SAFETY: no name and default security are allowed.
    let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
    if job.is_null() {
        return Err(std::io::Error::last_os_error());
    }
    let job = Handle(job);
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    let size = u32::try_from(size_of_val(&limits)).unwrap_or(0);
    // SAFETY: `limits` is of the class given and of the size given.
    let set = unsafe {
        SetInformationJobObject(job.0, JobObjectExtendedLimitInformation, (&raw const limits).cast::<c_void>(), size)
    };
    if set == 0 { Err(std::io::Error::last_os_error()) } else { Ok(job) }
}

/// Resumes every thread of a process that was started suspended (it has one).
fn resume(process: u32) -> std::io::Result<()> {
    // SAFETY: the snapshot's handle is checked and closed.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return Err(std::io::Error::last_os_error());
    }
    let snapshot = Handle(snapshot);
    let mut entry =
        THREADENTRY32 { dwSize: u32::try_from(size_of::<THREADENTRY32>()).unwrap_or(0), ..Default::default() };
    let mut resumed = false;
    // SAFETY: `entry` carries its own size, as the call demands.
    let mut more = unsafe { Thread32First(snapshot.0, &raw mut entry) } != 0;
    while more {
        if entry.th32OwnerProcessID == process {
            // SAFETY: the thread's id comes from the snapshot; a null handle is checked.
            let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, entry.th32ThreadID) };
            if !thread.is_null() {
                let thread = Handle(thread);
                // SAFETY: the handle is open and allows resuming.
                resumed |= unsafe { ResumeThread(thread.0) } != u32::MAX;
            }
        }
        // SAFETY: as for the first.
        more = unsafe { Thread32Next(snapshot.0, &raw mut entry) } != 0;
    }
    if resumed { Ok(()) } else { Err(std::io::Error::other("the suspended child could not be resumed")) }
}

/// Exit code.
pub(super) fn end_of(status: ExitStatus) -> ChildEnd {
    status.code().map_or_else(|| ChildEnd::Signalled(0), ChildEnd::Exited)
}
