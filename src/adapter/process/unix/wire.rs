//! What supervisor and guard say to each other: JSON in frames over a socket pair, each with its
//! length before it; the child's two pipes travel beside the length of the order that needs them.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use jiff::Timestamp;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// From the supervisor to the guard.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// The first: where the journal is; the host's lock comes along where the run holds one.
    Begin { journal: OsString },
    /// Start a child; its two pipes come along.
    Spawn { job: u32, argv: Vec<OsString>, cwd: OsString },
    /// Ask its group to end.
    Ask { job: u32 },
    /// End it with everything that it started.
    End { job: u32 },
    /// Tell what is alive.
    Survivors,
    /// End everything.
    EndAll,
    /// Go, and leave alone what is alive.
    Release,
    /// Is anybody there?
    Ping,
}

/// From the guard to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    NotStarted {
        job: u32,
        errno: Option<i32>,
        why: String,
    },
    Exited {
        job: u32,
        code: Option<i32>,
        signal: Option<i32>,
    },
    Ended {
        job: u32,
    },
    /// None where it cannot be known.
    Survivors(Option<Vec<Alive>>),
    EndedAll,
    Pong,
}

/// A living process, as the guard tells of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Alive {
    pub(super) pid: u32,
    pub(super) started: Option<Timestamp>,
    pub(super) command: String,
    /// Which job started it, where it can be told.
    pub(super) job: Option<u32>,
}

/// No order comes near it: an argv is bounded by the kernel, and by less.
const LONGEST: u32 = 64 << 20;

/// Sends one frame.
pub(super) fn send(
    stream: &UnixStream,
    message: &impl Serialize,
    pipes: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= LONGEST);
    let length =
        length.ok_or_else(|| io::Error::other("a frame of impossible length"))?.to_be_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !pipes.is_empty() && !control.push(SendAncillaryMessage::ScmRights(pipes)) {
        return Err(io::Error::other("too many pipes for one order"));
    }
    let sent = sendmsg(stream, &[IoSlice::new(&length)], &mut control, SendFlags::empty())?;
    let mut stream = stream;
    stream.write_all(&length[sent..])?;
    stream.write_all(&body)
}

/// Takes one frame; `None` where the other side is gone.
pub(super) fn receive<T: DeserializeOwned>(
    stream: &UnixStream,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let read = loop {
        match recvmsg(stream, &mut [IoSliceMut::new(&mut length)], &mut control, RecvFlags::empty())
        {
            Ok(read) => break read.bytes,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if read == 0 {
        return Ok(None);
    }
    let mut pipes = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            pipes.extend(received);
        }
    }
    for pipe in &pipes {
        // Not every platform can have this set on arrival; only this thread starts children.
        rustix::io::fcntl_setfd(pipe, rustix::io::FdFlags::CLOEXEC)?;
    }
    let mut stream = stream;
    stream.read_exact(&mut length[read..])?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(io::Error::other("a frame of impossible length"));
    }
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body)?;
    Ok(Some((serde_json::from_slice(&body)?, pipes)))
}
