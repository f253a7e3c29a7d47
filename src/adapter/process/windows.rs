//! Process trees on Windows: job objects. A child is started suspended and resumed once it is in
//! its job, so that nothing it starts can be outside. A run has a job of its own around those of
//! its children, which kills on close: when our process goes, however it goes, the system ends
//! them. So the guard of a run is no process here.
#![allow(unsafe_code, reason = "the Win32 API has no safe form; each block says why it holds")]

use std::ffi::{OsString, c_void};
use std::io::{self, PipeReader, Read};
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use windows_sys::Wdk::System::Threading::{
    NtQueryInformationProcess, ProcessCommandLineInformation,
};
use windows_sys::Win32::Foundation::{
    CloseHandle, FILETIME, HANDLE, INVALID_HANDLE_VALUE, UNICODE_STRING,
};
use windows_sys::Win32::Globalization::{CP_OEMCP, MultiByteToWideChar};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
    TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicProcessIdList,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, GetProcessTimes, INFINITE, OpenProcess, OpenThread,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, QueryFullProcessImageNameW,
    ResumeThread, THREAD_SUSPEND_RESUME, WaitForSingleObject,
};

use super::Survivor;
use super::supervisor::{Job, Stream, Via};
use crate::adapter::lock::Held;
use crate::adapter::world::World;
use crate::domain::host::labview::Running;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::outcome::ChildEnd;

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
    child: Arc<Mutex<Child>>,
    leader: u32,
    /// A command of our own takes with it what it started; what is left of a run is its guard's to
    /// tell.
    alone: bool,
}

/// A child that was started, and its output.
pub(super) struct Started {
    pub(super) tree: Tree,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

/// The job object of a whole run.
#[derive(Debug)]
pub(crate) struct Guard {
    job: Handle,
    environment: Vec<(OsString, OsString)>,
    /// The jobs of children that run one file each.
    files: Mutex<Vec<(Arc<Handle>, RelPath)>>,
}

/// There is no guard process here.
pub(crate) fn serve(_: &World) -> io::Result<()> {
    Err(io::Error::other("on Windows a job object does its work"))
}

impl Guard {
    /// `environment` is all that the run's children get. Nobody is left to write into the journal
    /// when we are lost.
    pub(crate) fn start(
        _: &World,
        environment: &[(OsString, OsString)],
        _: &Path,
        _: Option<&Held>,
    ) -> io::Result<Self> {
        Ok(Self { job: new_job(true)?, environment: environment.to_vec(), files: Mutex::default() })
    }

    /// What is alive of the run.
    pub(crate) fn survivors(&self) -> Result<Vec<Survivor>, String> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let tell = |pid: u32| {
            let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION)?;
            let file = files
                .iter()
                .find(|(job, _)| members(job).contains(&pid))
                .map(|(_, file)| file.clone());
            Some(Survivor { pid, started: born(&process), command: command_line(&process), file })
        };
        Ok(members(&self.job).into_iter().filter_map(tell).collect())
    }

    /// Nobody can end a job object.
    pub(crate) fn is_lost(&self) -> bool {
        false
    }

    /// Ends everything that the run started.
    pub(crate) fn end_all(&self) {
        terminate(&self.job);
    }

    /// Lets it go, with whatever is alive.
    pub(crate) fn release(&self) {
        let _ = kill_on_close(&self.job, false);
    }
}

impl Tree {
    /// Starts a job's child.
    pub(super) fn spawn(job: &Job) -> io::Result<Started> {
        let ((stdout, out), (stderr, err)) = (io::pipe()?, io::pipe()?);
        let alone = matches!(job.via, Via::Alone(_));
        let own = Arc::new(new_job(alone)?);
        let mut command = job.command()?;
        if let Via::Guard(guard) = &job.via {
            command.env_clear().envs(guard.environment.iter().map(|(name, value)| (name, value)));
        }
        command.stdout(out).stderr(err).creation_flags(CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP);
        let mut child = command.spawn()?;
        let joined = match &job.via {
            // The outer job first: the inner one is nested in it.
            Via::Guard(guard) => assign(&guard.job, &child).and_then(|()| assign(&own, &child)),
            Via::Alone(_) => assign(&own, &child),
        };
        if let Err(error) = joined.and_then(|()| resume(child.id())) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        if let (Via::Guard(guard), Some(file)) = (&job.via, &job.file) {
            guard
                .files
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((own.clone(), file.clone()));
        }
        let leader = child.id();
        let tree = Tree { job: own, child: Arc::new(Mutex::new(child)), leader, alone };
        Ok(Started { tree, stdout, stderr })
    }

    /// Has something called when the first process has ended.
    pub(super) fn when_ended(&self, ended: impl FnOnce() + Send + 'static) -> io::Result<()> {
        // By its id: while the `Child` lives that cannot be another's.
        let process = open(self.leader, PROCESS_SYNCHRONIZE);
        let wait = move || {
            if let Some(process) = process {
                // SAFETY: the handle is open and allows waiting.
                unsafe { WaitForSingleObject(process.0, INFINITE) };
            }
            ended();
        };
        thread::Builder::new().spawn(wait)?;
        Ok(())
    }

    /// Ctrl-Break to the group: the only thing that can be asked of a console process.
    pub(super) fn ask(&self) {
        // SAFETY: the call takes numbers only.
        unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.leader) };
    }

    /// Ends every process of the job.
    pub(super) fn kill(&self) {
        terminate(&self.job);
    }

    /// How the first process ended.
    pub(super) fn end(&self) -> ChildEnd {
        if self.alone {
            self.kill();
        }
        match self.child.lock().unwrap_or_else(PoisonError::into_inner).wait() {
            Ok(status) => status.code().map_or_else(|| ChildEnd::Signalled(0), ChildEnd::Exited),
            Err(error) => ChildEnd::Lost(format!("its end could not be learned: {error}")),
        }
    }
}

/// Reads both streams to their ends, each on a thread of its own, so that no full pipe ever stops
/// the child. `take` is given no bytes at a stream's end.
pub(super) fn drain(
    stdout: PipeReader,
    stderr: PipeReader,
    take: impl Fn(Stream, &[u8]) + Send + Sync + 'static,
) -> io::Result<()> {
    let take = Arc::new(take);
    for (stream, mut pipe) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
        let take = take.clone();
        let pump = move || {
            let mut buffer = vec![0; 64 << 10];
            loop {
                let read = pipe.read(&mut buffer).unwrap_or(0);
                take(stream, &buffer[..read]);
                if read == 0 {
                    return;
                }
            }
        };
        thread::Builder::new().spawn(pump)?;
    }
    Ok(())
}

/// No thread can wait for two streams at once here.
pub(super) enum Pump {}

impl Pump {
    /// Gives them back.
    pub(super) fn new(
        stdout: PipeReader,
        stderr: PipeReader,
    ) -> Result<Self, (PipeReader, PipeReader)> {
        Err((stdout, stderr))
    }

    /// There is none.
    pub(super) fn turn(&mut self, _: Option<Duration>, _: &dyn Fn(Stream, &[u8])) -> bool {
        match *self {}
    }
}

/// How long a command may take to end that was asked to: less than the runner gives us.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a command on our own streams while a lock is held, and gives its exit code.
///
/// It belongs to a job object, so that it ends with us were we killed outright, and the lock with
/// both.
pub(crate) fn run_attached(world: &World, argv: &[String], held: Option<&Held>) -> io::Result<u8> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let marks: Vec<_> = held.map(|held| held.mark(world)).into_iter().collect();
    let job = new_job(true)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(super::child_environment(world, &marks));
    command.creation_flags(CREATE_SUSPENDED);
    let mut child = command
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    let joined = assign(&job, &child).and_then(|()| resume(child.id()));
    if let Err(error) = joined {
        let _ = child.kill();
        return Err(error);
    }
    let mut asked = None;
    loop {
        if let Some(status) = child.try_wait()? {
            let code = status.code().unwrap_or(255);
            return Ok(u8::try_from(code).unwrap_or(255));
        }
        // The console has told the command already, where it was Ctrl-C; it gets a while, or until
        // a second request.
        if world.cancel().requests() > 0 {
            let since = *asked.get_or_insert_with(|| world.tick());
            if world.cancel().requests() > 1 || since.elapsed() > GRACE {
                terminate(&job);
            }
        }
        world.wait(Duration::from_millis(10));
    }
}

/// When a process was born, where that can be told.
pub(crate) fn started(pid: u32) -> Option<Timestamp> {
    open(pid, PROCESS_QUERY_LIMITED_INFORMATION).and_then(|process| born(&process))
}

/// Every process whose program has this name, letter case and `.exe` aside. None where nobody can
/// tell.
pub(crate) fn named(name: &str) -> Option<Vec<Running>> {
    // SAFETY: the call takes numbers only; an invalid handle is checked.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return None;
    }
    let snapshot = Handle(snapshot);
    let mut entry = PROCESSENTRY32W {
        dwSize: u32::try_from(size_of::<PROCESSENTRY32W>()).unwrap_or(0),
        ..Default::default()
    };
    let mut found = Vec::new();
    // SAFETY: `entry` carries its own size, as the call demands.
    let mut more = unsafe { Process32FirstW(snapshot.0, &raw mut entry) } != 0;
    while more {
        let length =
            entry.szExeFile.iter().position(|unit| *unit == 0).unwrap_or(entry.szExeFile.len());
        let program = String::from_utf16_lossy(&entry.szExeFile[..length]).to_ascii_lowercase();
        if program.trim_end_matches(".exe") == name.to_ascii_lowercase() {
            let pid = entry.th32ProcessID;
            let started =
                open(pid, PROCESS_QUERY_LIMITED_INFORMATION).and_then(|process| born(&process));
            let mut session = 0;
            // SAFETY: a number goes in, and one comes out where the call says so.
            let reported = unsafe { ProcessIdToSessionId(pid, &raw mut session) } != 0;
            found.push(Running { pid, started, session: reported.then_some(session) });
        }
        // SAFETY: as for the first.
        more = unsafe { Process32NextW(snapshot.0, &raw mut entry) } != 0;
    }
    Some(found)
}

fn open(pid: u32, rights: u32) -> Option<Handle> {
    // SAFETY: the call takes numbers only; a null handle is no handle.
    let process = unsafe { OpenProcess(rights, 0, pid) };
    (!process.is_null()).then_some(Handle(process))
}

fn assign(job: &Handle, child: &Child) -> io::Result<()> {
    // SAFETY: both handles are open; the child is suspended and cannot end by itself.
    let done = unsafe { AssignProcessToJobObject(job.0, child.as_raw_handle() as HANDLE) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn terminate(job: &Handle) {
    // SAFETY: the job's handle is open for as long as this value lives.
    unsafe { TerminateJobObject(job.0, 1) };
}

/// Ids of a job's processes.
fn members(job: &Handle) -> Vec<u32> {
    /// As the system lays it out: two counts, then the ids.
    #[repr(C)]
    struct Ids {
        assigned: u32,
        listed: u32,
        ids: [usize; 4096],
    }
    let mut list = Box::new(Ids { assigned: 0, listed: 0, ids: [0; 4096] });
    let size = u32::try_from(size_of::<Ids>()).unwrap_or(0);
    let into = (&raw mut *list).cast::<c_void>();
    // SAFETY: `list` is laid out as the class asked for and of the size given. Where more processes
    // live than it can hold the call fails and has filled it all the same.
    unsafe {
        QueryInformationJobObject(
            job.0,
            JobObjectBasicProcessIdList,
            into,
            size,
            std::ptr::null_mut(),
        )
    };
    let listed = (list.listed as usize).min(list.ids.len());
    list.ids[..listed].iter().filter_map(|id| u32::try_from(*id).ok()).collect()
}

/// When a process was born.
fn born(process: &Handle) -> Option<Timestamp> {
    let mut times = [FILETIME::default(); 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: four places to write to, and a handle that allows asking.
    let reported = unsafe { GetProcessTimes(process.0, created, exited, kernel, user) };
    // In units of 100 ns since 1601.
    let ticks = (i64::from(times[0].dwHighDateTime) << 32) | i64::from(times[0].dwLowDateTime);
    (reported != 0)
        .then(|| Timestamp::from_millisecond(ticks / 10_000 - 11_644_473_600_000).ok())
        .flatten()
}

/// Its command line, else the path of its program.
fn command_line(process: &Handle) -> String {
    let mut buffer = vec![0u64; 8 << 10];
    let size = u32::try_from(buffer.len() * size_of::<u64>()).unwrap_or(0);
    let into = buffer.as_mut_ptr().cast::<c_void>();
    // SAFETY: `buffer` is aligned for the string's head and of the size given.
    let status = unsafe {
        NtQueryInformationProcess(
            process.0,
            ProcessCommandLineInformation,
            into,
            size,
            std::ptr::null_mut(),
        )
    };
    if status == 0 {
        // SAFETY: on success a UNICODE_STRING stands at the start, whose text lies in the same
        // buffer.
        let text = unsafe {
            let head = &*buffer.as_ptr().cast::<UNICODE_STRING>();
            let units = usize::from(head.Length) / 2;
            if head.Buffer.is_null() { &[] } else { std::slice::from_raw_parts(head.Buffer, units) }
        };
        return String::from_utf16_lossy(text);
    }
    let mut path = vec![0u16; 32 << 10];
    let mut length = u32::try_from(path.len()).unwrap_or(0);
    // SAFETY: `path` has room for as many units as `length` says, which the call sets.
    let reported =
        unsafe { QueryFullProcessImageNameW(process.0, 0, path.as_mut_ptr(), &raw mut length) };
    if reported == 0 {
        String::new()
    } else {
        String::from_utf16_lossy(&path[..(length as usize).min(path.len())])
    }
}

/// Output that is no UTF-8 is in the code page of the console.
pub(super) fn oem_text(bytes: &[u8]) -> String {
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    let mut wide = vec![0u16; bytes.len().min(length as usize)];
    let room = i32::try_from(wide.len()).unwrap_or(i32::MAX);
    // SAFETY: both buffers are as long as the call is told; no code page makes more units than
    // bytes.
    let units = unsafe {
        MultiByteToWideChar(CP_OEMCP, 0, bytes.as_ptr(), length, wide.as_mut_ptr(), room)
    };
    String::from_utf16_lossy(&wide[..usize::try_from(units).unwrap_or(0).min(wide.len())])
}

fn kill_on_close(job: &Handle, kill: bool) -> io::Result<()> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags =
        if kill { JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE } else { 0 };
    let size = u32::try_from(size_of_val(&limits)).unwrap_or(0);
    // SAFETY: `limits` is of the class given and of the size given.
    let set = unsafe {
        SetInformationJobObject(
            job.0,
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast::<c_void>(),
            size,
        )
    };
    if set == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn new_job(kill: bool) -> io::Result<Handle> {
    // SAFETY: no name and default security are allowed.
    let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    let job = Handle(job);
    kill_on_close(&job, kill)?;
    Ok(job)
}

/// Resumes every thread of a process that was started suspended (it has one).
fn resume(process: u32) -> io::Result<()> {
    // SAFETY: the snapshot's handle is checked and closed.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    let snapshot = Handle(snapshot);
    let mut entry = THREADENTRY32 {
        dwSize: u32::try_from(size_of::<THREADENTRY32>()).unwrap_or(0),
        ..Default::default()
    };
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
    if resumed { Ok(()) } else { Err(io::Error::other("the suspended child could not be resumed")) }
}
