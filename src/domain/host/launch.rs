//! What a command starts besides its program: the interpreter of a script, a Python module, a tool
//! of a launcher.

/// A part that can be looked for before the command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Launch {
    /// `python -m MODULE`.
    Module {
        /// The Python, as typed.
        python: String,
        /// The module.
        module: String,
    },
    /// `npx --no-install TOOL`, `pnpm exec TOOL`.
    Package {
        /// The launcher, as typed.
        launcher: String,
        /// The tool of a package.
        tool: String,
    },
    /// `cargo nextest`, which is the program `cargo-nextest`.
    Subcommand {
        /// The launcher, as typed.
        launcher: String,
        /// The program that it starts.
        tool: String,
    },
}

/// What a command starts, where it says so.
pub(crate) fn launch(command: &[String]) -> Option<Launch> {
    let (launcher, rest) = command.split_first()?;
    let name = launcher.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
    let name = name.trim_end_matches(".exe").trim_end_matches(".cmd");
    let launcher = launcher.clone();
    let word = |at: usize| rest.get(at).map(String::as_str);
    if name == "py" || name.strip_prefix("python").is_some_and(is_version) {
        // Options that take no value may stand before `-m`; anything else is not followed.
        let flag = |text: &&String| {
            text.starts_with('-') && !["-m", "-c", "-W", "-X"].contains(&text.as_str())
        };
        let at = rest.iter().take_while(flag).count();
        let module = (word(at)? == "-m").then(|| rest.get(at + 1)).flatten()?;
        return Some(Launch::Module { python: launcher, module: module.clone() });
    }
    let first_word =
        |from: usize| rest.iter().skip(from).find(|text| !text.starts_with('-')).cloned();
    match name {
        // Without this flag npx may download what is missing; other flags change what it starts.
        "npx" if rest.iter().take_while(|text| text.starts_with('-')).all(|f| is_offline(f)) => {
            let tool = first_word(0).filter(|_| word(0).is_some_and(is_offline))?;
            Some(Launch::Package { launcher, tool })
        }
        "pnpm" if word(0) == Some("exec") => {
            Some(Launch::Package { launcher, tool: first_word(1)? })
        }
        "cargo" if word(0) == Some("nextest") => {
            Some(Launch::Subcommand { launcher, tool: "cargo-nextest".to_owned() })
        }
        _ => None,
    }
}

fn is_offline(flag: &str) -> bool {
    ["--no-install", "--no"].contains(&flag)
}

/// What may follow `python` in a program's name.
fn is_version(rest: &str) -> bool {
    rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'w')
}

/// The program that a script's first line names: a path, or a name for `PATH` where `env` starts
/// it.
pub(crate) fn interpreter(head: &[u8]) -> Option<String> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    // The system takes a carriage return for a part of the name.
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let program = words.next()?;
    if program.rsplit('/').next() != Some("env") {
        return Some(program.to_owned());
    }
    let mut name = words.next()?;
    // `-S` splits the rest as a shell nearly does, and other options change what is looked for.
    if name == "-S" && !line.contains(['"', '\'', '=', '\\', '$']) {
        name = words.next()?;
    }
    (!name.starts_with('-') && !name.contains('=')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str) -> Option<(&'static str, String)> {
        let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Some(match launch(&argv)? {
            Launch::Module { module, .. } => ("module", module),
            Launch::Package { tool, .. } => ("package", tool),
            Launch::Subcommand { tool, .. } => ("subcommand", tool),
        })
    }

    #[test]
    fn what_a_launcher_starts_is_its_module_or_its_tool() {
        for (line, expected) in [
            ("python3 -m pytest tests", Some(("module", "pytest"))),
            ("/usr/bin/python3.11 -B -m xmlrunner", Some(("module", "xmlrunner"))),
            ("py -3 -m pytest", Some(("module", "pytest"))),
            ("python3 run.py -m x", None),
            ("pythonista -m x", None),
            ("npx --no-install jest --ci", Some(("package", "jest"))),
            ("npx jest", None),
            ("npx --no-install -c jest", None),
            ("npx --no-install --package x jest", None),
            ("pnpm exec vitest run", Some(("package", "vitest"))),
            ("cargo nextest run", Some(("subcommand", "cargo-nextest"))),
            ("cargo test", None),
            ("pytest -m slow", None),
        ] {
            assert_eq!(seen(line), expected.map(|(kind, name)| (kind, name.to_owned())), "{line}");
        }
    }

    #[test]
    fn the_first_line_of_a_script_names_its_interpreter() {
        for (head, expected) in [
            (&b"#!/bin/sh\necho"[..], Some("/bin/sh")),
            (b"#! /usr/bin/env python3\n", Some("python3")),
            (b"#!/usr/bin/env -S deno run\n", Some("deno")),
            (b"#!/usr/bin/env -S A=b deno run\n", None),
            (b"#!/usr/bin/env -S -u FOO sh\n", None),
            (b"#!/usr/bin/env -S \"sh\" -e\n", None),
            (b"#!/bin/sh\r\n", Some("/bin/sh\r")),
            (b"#!/usr/bin/env\n", None),
            (b"\x7fELF", None),
            (b"#!\xff\n", None),
            (b"", None),
        ] {
            assert_eq!(interpreter(head).as_deref(), expected, "{head:?}");
        }
    }
}
