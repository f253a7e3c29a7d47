//! Where LVCompare must be: at the path that `LVCOMPARE_PATH` names, else at its installer's. The
//! one for 32 bits nearby it is never taken in its stead: it would compare with another LabVIEW.

/// Where the installer puts it.
const INSTALLED: &str =
    r"C:\Program Files\National Instruments\Shared\LabVIEW Compare\LVCompare.exe";
/// Where the installer for 32 bits puts it.
const OF_32_BITS: &str =
    r"C:\Program Files (x86)\National Instruments\Shared\LabVIEW Compare\LVCompare.exe";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where it must be.
    pub(crate) path: String,
    /// Who says so.
    pub(crate) source: &'static str,
    /// Whether a file is there.
    pub(crate) there: bool,
    /// Words on what is there instead.
    pub(crate) nearby: &'static str,
}

/// `named` is the variable's value, `is_file` looks.
pub(crate) fn read(named: Option<&str>, is_file: impl Fn(&str) -> bool) -> Place {
    let (path, source) = match named.map(str::trim).filter(|path| !path.is_empty()) {
        // As the predecessor's variable may be written.
        Some(path) => (path.trim_matches('"'), "LVCOMPARE_PATH"),
        None => (INSTALLED, "default"),
    };
    let there = is_file(path);
    let small = !there && path != OF_32_BITS && is_file(OF_32_BITS);
    let nearby = if small { "; the 32-bit one is there and will not do" } else { "" };
    Place { path: path.to_owned(), source, there, nearby }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths as the predecessor's readiness probe has them (its candidates, the 32-bit one
    /// excluded).
    #[test]
    fn one_path_counts_and_its_twin_is_only_named() {
        const OWN: &str = r"D:\NI\LVCompare.exe";
        for (source, named, files, path, there, nearby) in [
            ("installed", None, &[INSTALLED][..], INSTALLED, true, false),
            ("both installed", None, &[INSTALLED, OF_32_BITS], INSTALLED, true, false),
            ("for 32 bits alone", None, &[OF_32_BITS], INSTALLED, false, true),
            ("nowhere", None, &[], INSTALLED, false, false),
            ("named", Some(OWN), &[OWN], OWN, true, false),
            ("named in quotes", Some("\"D:\\NI\\LVCompare.exe\""), &[OWN], OWN, true, false),
            ("named and not there, though installed", Some(OWN), &[INSTALLED], OWN, false, false),
            ("an empty variable is none", Some(" "), &[INSTALLED], INSTALLED, true, false),
            ("the 32-bit one, by name", Some(OF_32_BITS), &[OF_32_BITS], OF_32_BITS, true, false),
        ] {
            let place = read(named, |path| files.contains(&path));
            let reported = (place.path.as_str(), place.there, !place.nearby.is_empty());
            assert_eq!(reported, (path, there, nearby), "{source}");
        }
    }
}
