//! Which repository: from an option, the event, `GITHUB_REPOSITORY` and git remotes, in that order.

use crate::domain::receipt::SlugSource;
use crate::domain::run::ids::RepoSlug;
use crate::domain::verdict::fault::Fault;

/// Everything that may name the repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// `--repository`.
    pub(crate) option: Option<RepoSlug>,
    /// The event's `repository.full_name`.
    pub(crate) event: Option<RepoSlug>,
    /// `GITHUB_REPOSITORY`.
    pub(crate) environment: Option<RepoSlug>,
    /// Name and address of each git remote.
    pub(crate) remotes: Vec<(String, String)>,
}

/// What came out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// The repository, where one was named without contradiction.
    pub(crate) slug: Option<RepoSlug>,
    /// Who said what, in order of precedence.
    pub(crate) sources: Vec<SlugSource>,
    /// A disagreement, or nobody.
    pub(crate) fault: Option<Fault>,
}

/// Resolves the repository. A disagreement among option, event and environment is a fault; a
/// remote that differs is only noted, because a fork's checkout is ordinary.
pub(crate) fn resolve(facts: &Sources) -> Resolution {
    let named: Vec<(&str, &RepoSlug)> = [
        ("option", &facts.option),
        ("event", &facts.event),
        ("GITHUB_REPOSITORY", &facts.environment),
    ]
    .into_iter()
    .filter_map(|(source, slug)| slug.as_ref().map(|slug| (source, slug)))
    .collect();
    let mut sources: Vec<SlugSource> = named
        .iter()
        .map(|(source, slug)| SlugSource { source: (*source).to_owned(), value: slug.to_string() })
        .collect();

    let mut remotes: Vec<_> = facts.remotes.iter().collect();
    remotes.sort_by_key(|(name, _)| (name != "origin", name.clone()));
    let parsed: Vec<(&str, RepoSlug)> = remotes
        .iter()
        .filter_map(|(name, address)| Some((name.as_str(), slug_of_remote(address)?)))
        .collect();
    sources.extend(parsed.iter().map(|(name, slug)| SlugSource {
        source: format!("remote:{name}"),
        value: slug.to_string(),
    }));

    let fault = match named.as_slice() {
        [(_, first), rest @ ..] if rest.iter().any(|(_, other)| !other.same_as(first)) => {
            let said: Vec<_> =
                named.iter().map(|(source, slug)| format!("{source} says {slug}")).collect();
            Some(Fault::RepositoryConflict(said.join(", ")))
        }
        [] if parsed.is_empty() => Some(Fault::RepositoryUnresolved),
        _ => None,
    };
    let slug = match (&fault, named.first(), parsed.first()) {
        (Some(_), _, _) => None,
        (None, Some((_, slug)), _) => Some((*slug).clone()),
        (None, None, Some((_, slug))) => Some(slug.clone()),
        (None, None, None) => None,
    };
    Resolution { slug, sources, fault }
}

/// The repository that a remote's address names, on whatever host: `https://host/o/n.git`,
/// `ssh://git@host:22/o/n`, `git@host:o/n.git`. A local path names none.
pub(crate) fn slug_of_remote(address: &str) -> Option<RepoSlug> {
    let address = address.trim();
    let path = if let Some((scheme, rest)) = address.split_once("://") {
        if !["https", "http", "ssh", "git", "git+ssh"]
            .contains(&scheme.to_ascii_lowercase().as_str())
        {
            return None;
        }
        rest.split_once('/')?.1
    } else {
        // The scp form has a colon before any slash, and more than a drive letter before it.
        let (host, path) = address.split_once(':')?;
        if host.len() < 2 || host.contains(['/', '\\']) {
            return None;
        }
        path
    };
    let path = path.trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str) -> Option<RepoSlug> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn remotes_of_every_form_are_read() {
        for address in [
            "https://github.com/octo/widgets.git",
            "https://github.com/octo/widgets",
            "https://github.com/octo/widgets/",
            "https://user:pw@ghes.example:8443/octo/widgets.git",
            "ssh://git@github.com/octo/widgets.git",
            "ssh://git@ghes.example:2222/octo/widgets",
            "git@github.com:octo/widgets.git",
            "ghes.example:octo/widgets",
            "git://host/octo/widgets.git",
        ] {
            assert_eq!(slug_of_remote(address), slug("octo/widgets"), "{address}");
        }
        for address in [
            "/srv/git/w.git",
            "../w",
            "C:/git/o/n",
            r"C:\o\n",
            "file:///srv/o/n",
            "https://gitlab/a/b/c",
            "x",
            "",
        ] {
            assert_eq!(slug_of_remote(address), None, "{address}");
        }
    }

    #[test]
    fn the_first_named_source_wins_and_contradiction_is_a_fault() {
        let all = Sources {
            option: slug("Octo/Widgets"),
            event: slug("octo/widgets"),
            environment: slug("octo/widgets"),
            remotes: vec![
                ("fork".into(), "git@h:me/widgets.git".into()),
                ("origin".into(), "git@h:you/widgets".into()),
            ],
        };
        let resolution = resolve(&all);
        assert_eq!((resolution.slug, resolution.fault), (slug("Octo/Widgets"), None));
        assert_eq!(resolution.sources[3].source, "remote:origin");

        let conflict = resolve(&Sources { environment: slug("octo/other"), ..all.clone() });
        assert_eq!(conflict.slug, None);
        assert!(matches!(
            conflict.fault,
            Some(Fault::RepositoryConflict(text))
                if text.contains("GITHUB_REPOSITORY says octo/other")
        ));

        let remotes_only =
            resolve(&Sources { option: None, event: None, environment: None, ..all });
        assert_eq!(remotes_only.slug, slug("you/widgets"));
        assert_eq!(resolve(&Sources::default()).fault, Some(Fault::RepositoryUnresolved));
    }
}
