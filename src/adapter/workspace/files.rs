//! Reading and writing files, bounded and atomic.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256 as Hasher};

use crate::domain::run::ids::{RelPath, Sha256};
use crate::domain::selection::plan::to_sha256;

/// The most that is read of a file that people or other jobs wrote.
pub(crate) const READ_LIMIT: u64 = 64 << 20;

/// Reads a whole file of at most [`READ_LIMIT`] bytes.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    Read::take(&mut file, READ_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > READ_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 MiB"));
    }
    Ok(bytes)
}

/// Opens a regular file. Anything else (a pipe would wait for its writer for ever) is an error.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)
}

/// Whether this is a regular file by itself, no link to one.
pub(crate) fn is_plain_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

/// Whether this is a folder by itself, no link to one.
pub(crate) fn is_plain_dir(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

/// The first bytes of a file, fewer where it has fewer.
pub(crate) fn first_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Read::take(open(path)?, most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last bytes of a file, at most this many.
pub(crate) fn last_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let size = file.metadata()?.len();
    io::Seek::seek(&mut file, io::SeekFrom::Start(size.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    Read::take(&mut file, most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file so that readers see the old one or the new one, never a part: temporary file in
/// the same folder, flushed to disk, then renamed.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = written_beside(path, bytes)?;
    readable_by_others(temporary.path())?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The same for this user's eyes only.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written_beside(path, bytes)?.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn written_beside(path: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::Builder::new().prefix(".pester-gate-").tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

/// Whether a file can be made in a folder: one is made and removed.
pub(crate) fn takes_files(folder: &Path) -> io::Result<()> {
    tempfile::Builder::new().prefix(".pester-gate-").tempfile_in(folder).map(drop)
}

/// Temporary files are private; a receipt is for the next job, maybe another user's.
#[cfg(unix)]
fn readable_by_others(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes the oldest of the files of a folder whose names are ours until it holds `most` of them.
pub(crate) fn keep_newest(folder: &Path, most: usize, is_ours: fn(&str) -> bool) {
    if !is_plain_dir(folder) {
        return;
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            entry.file_name().to_str().is_some_and(is_ours) && is_plain_file(&entry.path())
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    let surplus = files.len().saturating_sub(most);
    for (_, path) in files.into_iter().take(surplus) {
        // Another run may have removed it.
        let _ = fs::remove_file(path);
    }
}

/// Digest of some bytes.
pub(crate) fn digest_bytes(bytes: &[u8]) -> Sha256 {
    to_sha256(&Hasher::digest(bytes))
}

/// Size and digest of a file, read in pieces.
pub(crate) fn digest_file(path: &Path) -> io::Result<(u64, Sha256)> {
    let mut file = open(path)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, to_sha256(&hasher.finalize())));
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Every regular file below a folder, links not followed, as paths with `/`, in byte order.
/// A name that is not Unicode is shown with replacement characters in `Err`.
pub(crate) fn list(folder: &Path) -> Vec<Result<(RelPath, PathBuf), String>> {
    let mut files: Vec<_> = walkdir::WalkDir::new(folder)
        .follow_links(false)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            match slashed(below) {
                Some(path) => Ok((path, entry.path().to_owned())),
                None => Err(below.to_string_lossy().into_owned()),
            }
        })
        .collect();
    files.sort();
    files
}

/// A path below something, with `/`, where its name is Unicode.
pub(crate) fn slashed(path: &Path) -> Option<RelPath> {
    let mut text = String::new();
    for part in path.components() {
        if !text.is_empty() {
            text.push('/');
        }
        text.push_str(part.as_os_str().to_str()?);
    }
    text.parse().ok()
}

/// Whether a path is a regular file, through links.
pub(crate) fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Whether a path is a folder, through links.
pub(crate) fn is_dir(path: &Path) -> bool {
    path.is_dir()
}

/// Whether a path is there, link or not.
pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The path with links resolved, or as it is.
pub(crate) fn canonical(path: &Path) -> PathBuf {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    // Windows hands back `\\?\C:\..`, which child processes and people trip over.
    match path.to_str().and_then(|text| text.strip_prefix(r"\\?\")) {
        Some(plain) if !plain.starts_with("UNC") => PathBuf::from(plain),
        _ => path,
    }
}

/// Makes a folder and its parents.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Puts a file in another's place.
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a file of ours.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// The folders directly in a folder; none where it cannot be read. Links are no folders.
pub(crate) fn list_folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| is_plain_dir(path)).collect();
    folders.sort();
    folders
}

/// The names of the files of a folder that are Unicode; none where it cannot be read.
pub(crate) fn list_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.filter_map(Result::ok).filter(|entry| is_plain_file(&entry.path()));
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Whether a folder holds nothing.
pub(crate) fn is_empty_dir(path: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(path)?.next().is_none())
}

/// Makes a folder of its own for one user: NAME, or NAME-2, NAME-3 and so on if others exist, and
/// returns its number, too. Two callers never get the same one.
pub(crate) fn make_own_dir(base: &Path, name: &str) -> io::Result<(PathBuf, u32)> {
    const MOST: u32 = 10_000;
    make_dir(base)?;
    for n in 1..MOST {
        let folder = base.join(if n == 1 { name.to_owned() } else { format!("{name}-{n}") });
        match make_new_dir(&folder) {
            Ok(()) => return Ok((folder, n)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{} holds too many folders", base.display())))
}

/// Makes one folder; one that is there is an error.
pub(crate) fn make_new_dir(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// Opens a new file for writing, making its folder.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Never through a link, never over what somebody put there.
    fs::OpenOptions::new().write(true).create_new(true).open(path)
}

/// Copies a file's bytes, making the target's folder.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    open(from)?;
    fs::copy(from, to)
}

/// Moves a folder; the target's parent is made.
pub(crate) fn move_folder(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::rename(from, to)
}

/// Puts a program under another path, as a link where the file system allows it. A copy that is
/// there already and equal stays: it may be running.
pub(crate) fn copy_program(from: &Path, to: &Path) -> io::Result<()> {
    if exists(to) {
        if digest_file(to)? == digest_file(from)? {
            return Ok(());
        }
        fs::remove_file(to)?;
    }
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

/// Appends to a file that the runner gave us.
pub(crate) fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// Size and modification time, for telling whether a file changed.
pub(crate) fn stamp(path: &Path) -> Option<(u64, std::time::SystemTime)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.len(), meta.modified().ok()?))
}

/// When a file or anything that the system keeps of it changed, in nanoseconds; none where the
/// system does not say.
#[cfg(unix)]
pub(crate) fn changed(path: &Path) -> Option<i128> {
    use std::os::unix::fs::MetadataExt;
    let meta = fs::metadata(path).ok()?;
    Some(i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec()))
}

/// When a file or anything that the system keeps of it changed, in nanoseconds; none where the
/// system does not say.
#[cfg(not(unix))]
pub(crate) fn changed(_: &Path) -> Option<i128> {
    None
}

/// Whether the user may run this file. On Windows that is a matter of its ending.
#[cfg(unix)]
pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether the user may run this file. On Windows that is a matter of its ending.
#[cfg(not(unix))]
pub(crate) fn is_executable(_: &Path) -> bool {
    false
}

/// How many more files the volume of the nearest folder that is there has room for; none where
/// volumes of its kind have no such limit.
#[cfg(unix)]
pub(crate) fn free_files(path: &Path) -> io::Result<Option<u64>> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    let volume = rustix::fs::statvfs(there)?;
    Ok((volume.f_files > 0).then_some(volume.f_favail))
}

/// NTFS makes room as it goes.
#[cfg(not(unix))]
pub(crate) fn free_files(_: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}

/// Free bytes on the volume of the nearest folder that is there.
pub(crate) fn free_space(path: &Path) -> io::Result<u64> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    fs4::available_space(there)
}
