//! What the system itself says of this host: settings that no command prints.
#![cfg_attr(windows, allow(unsafe_code, reason = "Windows tells these by calls only"))]

#[cfg(windows)]
use std::ffi::c_void;
#[cfg(windows)]
use std::io;

#[cfg(windows)]
use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_SUCCESS};
#[cfg(windows)]
use windows_sys::Win32::Globalization::{GetACP, GetOEMCP};
#[cfg(windows)]
use windows_sys::Win32::System::Console::GetConsoleOutputCP;
#[cfg(windows)]
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_DWORD, RegGetValueW};

/// The code pages that text of programs may be in.
#[cfg(windows)]
pub(crate) fn code_pages() -> Option<serde_json::Value> {
    // SAFETY: the calls take nothing and give numbers.
    let (ansi, oem, console) = unsafe { (GetACP(), GetOEMCP(), GetConsoleOutputCP()) };
    Some(serde_json::json!({"ansi": ansi, "oem": oem, "console": (console != 0).then_some(console)}))
}

/// `LongPathsEnabled`, none where it is not set, or why it cannot be read.
#[cfg(windows)]
pub(crate) fn long_paths_value() -> Option<Result<Option<u32>, String>> {
    let wide = |text: &str| text.encode_utf16().chain([0]).collect::<Vec<u16>>();
    let (key, name) = (wide(r"SYSTEM\CurrentControlSet\Control\FileSystem"), wide("LongPathsEnabled"));
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
        status => Err(io::Error::from_raw_os_error(i32::try_from(status).unwrap_or(i32::MAX)).to_string()),
    })
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
