//! Lines for `.gitignore`.

/// The file with these lines added, where one of them is missing. Its line ends stay as they are.
pub(crate) fn with_lines(existing: &[u8], lines: &[String]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(existing);
    let bare = |line: &str| line.trim().trim_matches('/').to_owned();
    let known: Vec<String> = text.lines().map(bare).collect();
    let mut missing: Vec<&String> = Vec::new();
    for line in lines {
        if !known.contains(&bare(line)) && !missing.contains(&line) {
            missing.push(line);
        }
    }
    if missing.is_empty() {
        return None;
    }
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = existing.to_vec();
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(end.as_bytes());
    }
    out.extend_from_slice(format!("# Results of the tests{end}").as_bytes());
    for line in missing {
        out.extend_from_slice(format!("{line}{end}").as_bytes());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_once_and_line_ends_are_kept() {
        let lines = ["/a.xml".to_owned(), "build/".to_owned()];
        for (before, after) in [
            (&b""[..], Some(&b"# Results of the tests\n/a.xml\nbuild/\n"[..])),
            (b"x", Some(b"x\n# Results of the tests\n/a.xml\nbuild/\n")),
            (b"x\r\n/build\r\n", Some(b"x\r\n/build\r\n# Results of the tests\r\n/a.xml\r\n")),
            (b"a.xml\nbuild\n", None),
            (b"\xff\n/a.xml\n/build/", None),
        ] {
            let found = with_lines(before, &lines);
            assert_eq!(found.as_deref(), after, "{before:?}");
            if let Some(found) = found {
                assert_eq!(with_lines(&found, &lines), None);
            }
        }
    }
}
