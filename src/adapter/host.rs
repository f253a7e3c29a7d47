//! What the system itself is asked, without a command: settings of this host, rights of a folder.
#![cfg_attr(windows, allow(unsafe_code, reason = "Windows tells these by calls only"))]

#[cfg(windows)]
use std::ffi::c_void;
#[cfg(windows)]
use std::io;

#[cfg(windows)]
use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_SUCCESS, LocalFree};
#[cfg(windows)]
use windows_sys::Win32::Globalization::{GetACP, GetOEMCP};
#[cfg(windows)]
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
#[cfg(windows)]
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SetFileSecurityW,
};
#[cfg(windows)]
use windows_sys::Win32::System::Console::GetConsoleOutputCP;
#[cfg(windows)]
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_DWORD, RegGetValueW};

/// The code pages that text of programs may be in.
#[cfg(windows)]
pub(crate) fn code_pages() -> Option<serde_json::Value> {
    // SAFETY: the calls take nothing and give numbers.
    let (ansi, oem, console) = unsafe { (GetACP(), GetOEMCP(), GetConsoleOutputCP()) };
    Some(
        serde_json::json!({"ansi": ansi, "oem": oem, "console": (console != 0).then_some(console)}),
    )
}

/// `LongPathsEnabled`, none where it is not set, or why it cannot be read.
#[cfg(windows)]
pub(crate) fn long_paths_value() -> Option<Result<Option<u32>, String>> {
    let wide = |text: &str| text.encode_utf16().chain([0]).collect::<Vec<u16>>();
    let (key, name) =
        (wide(r"SYSTEM\CurrentControlSet\Control\FileSystem"), wide("LongPathsEnabled"));
    let (mut value, mut size) = (0u32, 4u32);
    let into = (&raw mut value).cast::<c_void>();
    // SAFETY: both names end with a zero, and `value` is as large as `size` says.
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_DWORD,
            std::ptr::null_mut(),
            into,
            &raw mut size,
        )
    };
    Some(match status {
        ERROR_SUCCESS => Ok(Some(value)),
        ERROR_FILE_NOT_FOUND => Ok(None),
        status => {
            Err(io::Error::from_raw_os_error(i32::try_from(status).unwrap_or(i32::MAX)).to_string())
        }
    })
}

/// Gives every user that has logged on the right to change what is in a folder.
#[cfg(windows)]
pub(crate) fn let_everybody_write(folder: &std::path::Path) -> io::Result<()> {
    use std::os::windows::ffi::OsStrExt;
    let path: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    // Users: change; the system and administrators: everything; for the folder and what is made in
    // it.
    let rights = "D:(A;OICI;0x1301bf;;;AU)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
    let rights: Vec<u16> = rights.encode_utf16().chain([0]).collect();
    let mut descriptor: PSECURITY_DESCRIPTOR = std::ptr::null_mut();
    // SAFETY: both texts end with a zero; the descriptor is freed by the call that its source
    // names.
    unsafe {
        let revision = SDDL_REVISION_1;
        let into = &raw mut descriptor;
        if ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rights.as_ptr(),
            revision,
            into,
            std::ptr::null_mut(),
        ) == 0
        {
            return Err(io::Error::last_os_error());
        }
        let done = SetFileSecurityW(path.as_ptr(), DACL_SECURITY_INFORMATION, descriptor);
        let error = io::Error::last_os_error();
        LocalFree(descriptor);
        if done == 0 { Err(error) } else { Ok(()) }
    }
}

/// Text here has no code pages.
#[cfg(not(windows))]
pub(crate) fn code_pages() -> Option<serde_json::Value> {
    None
}

/// Only Windows has the limit.
#[cfg(not(windows))]
pub(crate) fn long_paths_value() -> Option<Result<Option<u32>, String>> {
    None
}
