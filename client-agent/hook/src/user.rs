//! Where the state folder of the calling user is, without a word from the environment.
//!
//! Owns the two marks of a pattern: `{uid}` and `{home}`. The number comes from the kernel and the
//! home from the local user database, because a repository's settings can change variables.

/// The folder that a pattern means for the user this process runs as.
///
/// Errors: a sentence part for the refusal.
pub fn expand(pattern: &str) -> Result<String, &'static str> {
    if !pattern.contains('{') {
        return Ok(pattern.to_owned());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = uid(&status).ok_or("the kernel does not say whose process this is")?;
    let folder = pattern.replace("{uid}", &uid);
    if !folder.contains("{home}") {
        return Ok(folder);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let home = home(&users, &uid).ok_or("this user has no home in the local user database")?;
    Ok(folder.replace("{home}", &home))
}

/// The real user number of a process's `status`.
fn uid(status: &str) -> Option<String> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next().map(str::to_owned)
}

fn home(users: &str, uid: &str) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        let (number, home) = (fields.next()?, fields.nth(2)?);
        (number == uid && home.starts_with('/')).then(|| home.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_replaced_by_what_the_system_knows() {
        let users = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann,,:/home/ann:/bin/sh\n";
        assert_eq!(home(users, "1000").as_deref(), Some("/home/ann"));
        assert_eq!(home(users, "1001"), None);
        assert_eq!(
            uid("Name:\tx\nUid:\t1000\t0\t0\t0\n").as_deref(),
            Some("1000")
        );
        assert_eq!(expand("/plain").unwrap(), "/plain");
        assert!(expand("/run/{uid}").unwrap().len() > "/run/".len());
    }
}
