//! What a process asked of its file system, read from `strace`, and the disk after a power cut at any
//! point of it.
//!
//! Owns the model of a disk: a byte is durable after an fsync of its file that came later, a name after
//! an fsync of its folder. That is what POSIX promises and less than most file systems do. Reads of the
//! trace are exact because strings and paths are asked for in hex.

use std::collections::{BTreeMap, HashMap};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Arguments of `strace` that make such a trace.
pub const STRACE: [&str; 8] = ["strace", "-D", "-f", "-y", "-xx", "-s", "4194304", "-e"];

/// The calls that are recorded.
pub const CALLS: &str = "trace=openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,\
ftruncate,unlink,unlinkat,mkdir,mkdirat,sendto,writev";

/// How a line begins with which a test process tells that something is durable.
pub const TOLD: &str = "durable ";

/// One call that changed something, in the order in which they ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Create {
        path: PathBuf,
        truncate: bool,
        file: u32,
    },
    Folder(PathBuf),
    Append {
        file: u32,
        path: PathBuf,
        bytes: Vec<u8>,
    },
    Write {
        path: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Length {
        path: PathBuf,
        length: usize,
    },
    Sync(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove(PathBuf),
    /// Somebody is told that something is durable: an HTTP answer of the family 2xx, or the line of a
    /// spool's test process.
    Answer,
}

/// Reads a trace. Calls that failed, and calls on what is not a file, are left out.
pub fn read(text: &str) -> Vec<Event> {
    let mut begun: HashMap<&str, String> = HashMap::new();
    let mut events = Vec::new();
    for line in text.lines() {
        let Some((process, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        if let Some(first) = call.strip_suffix("<unfinished ...>") {
            // An answer counts from its beginning: some of it may have arrived.
            if is_answer(first) {
                events.push(Event::Answer);
            } else {
                begun.insert(process, first.trim_end().to_owned());
            }
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let rest = rest.split_once("resumed>").map_or("", |(_, rest)| rest);
            if let Some(first) = begun.remove(process) {
                events.extend(event(&format!("{first}{rest}")));
            }
        } else {
            events.extend(event(call));
        }
    }
    events
}

fn is_answer(call: &str) -> bool {
    let sends = ["sendto(", "writev(", "write("];
    let begins = |text: &str| {
        let hex: String = text.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        call.contains(&format!("\"{hex}"))
    };
    // A send that failed or was interrupted is made again. One whose process was killed in it counts:
    // what it sent has arrived, or the test would not have killed the process.
    let sent = ![") = -1", ") = ? E"].iter().any(|end| call.contains(end));
    sent && sends.iter().any(|name| call.starts_with(name))
        && (begins("HTTP/1.1 2") || begins(TOLD))
}

/// The lines of a trace that count as answers, for the message of a test that finds too many or few.
pub fn answers(text: &str) -> Vec<String> {
    let calls = text.lines().filter_map(|line| line.split_once(' '));
    let answers = calls.filter(|(_, call)| is_answer(call.trim_start()));
    let readable = |(process, call): (&str, &str)| {
        let sent = quoted(call).next().unwrap_or_default();
        let end: String = call.chars().rev().take(40).collect();
        let (sent, end) = (String::from_utf8_lossy(&sent), end.chars().rev());
        format!("{process}: {sent} … {}", end.collect::<String>())
    };
    answers.map(readable).collect()
}

fn event(call: &str) -> Option<Event> {
    if is_answer(call) {
        return Some(Event::Answer);
    }
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with('-') {
        return None;
    }
    match name {
        "openat" => {
            let file = result.split('<').next()?.trim().parse().ok()?;
            let (creates, truncate) =
                (arguments.contains("O_CREAT"), arguments.contains("O_TRUNC"));
            let writes = arguments.contains("O_WRONLY") || arguments.contains("O_RDWR");
            let path = file_path(result)?;
            (creates || writes).then_some(Event::Create {
                path,
                truncate,
                file,
            })
        }
        "write" => {
            let file = arguments.split('<').next()?.parse().ok()?;
            let mut bytes = quoted(arguments).next()?;
            bytes.truncate(number(result)?);
            Some(Event::Append {
                file,
                path: file_path(arguments)?,
                bytes,
            })
        }
        "pwrite64" => {
            let mut bytes = quoted(arguments).next()?;
            bytes.truncate(number(result)?);
            Some(Event::Write {
                path: file_path(arguments)?,
                at: number(arguments.trim_end_matches(')').rsplit(", ").next()?)?,
                bytes,
            })
        }
        "ftruncate" => Some(Event::Length {
            path: file_path(arguments)?,
            length: number(arguments.trim_end_matches(')').rsplit(", ").next()?)?,
        }),
        "fsync" | "fdatasync" => Some(Event::Sync(file_path(arguments)?)),
        "mkdir" | "mkdirat" => paths(arguments).next().map(Event::Folder),
        "unlink" | "unlinkat" => paths(arguments).next().map(Event::Remove),
        "rename" | "renameat" | "renameat2" => {
            let mut both = paths(arguments);
            Some(Event::Rename {
                from: both.next()?,
                to: both.next()?,
            })
        }
        _ => None,
    }
}

fn number(text: &str) -> Option<usize> {
    text.split_whitespace().next()?.parse().ok()
}

/// The path of the first descriptor; `None` for a socket, a pipe or a removed file.
fn file_path(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    let path = String::from_utf8(hex(path)?).ok()?;
    (path.starts_with('/') && !path.ends_with(" (deleted)")).then(|| path.into())
}

/// The quoted strings of a call, decoded.
fn quoted(text: &str) -> impl Iterator<Item = Vec<u8>> {
    text.split('"').skip(1).step_by(2).filter_map(hex)
}

/// The paths a call names, each joined to the descriptor of the folder before it.
fn paths(text: &str) -> impl Iterator<Item = PathBuf> {
    let pieces: Vec<&str> = text.split('"').collect();
    let pairs = pieces.chunks_exact(2);
    let joined = pairs.filter_map(|pair| {
        let name = PathBuf::from(String::from_utf8(hex(pair[1])?).ok()?);
        Some(match file_path(pair[0]) {
            Some(folder) => folder.join(name),
            None => name,
        })
    });
    joined.collect::<Vec<_>>().into_iter()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    for digits in text.split("\\x").skip(1) {
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    Some(bytes)
}

/// What survives of bytes that were never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Nothing, and no name without an fsync of its folder.
    Nothing,
    /// No bytes, but names: a journal of metadata only.
    Names,
    /// Names, and half of what was appended: a torn write.
    Half,
}

#[derive(Debug, Clone, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
}

/// A disk as the traced process saw it and as a power cut leaves it.
pub struct DiskModel {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    places: HashMap<u32, usize>,
}

impl DiskModel {
    /// A folder whose whole content is durable.
    pub fn of_folder(root: &Path) -> Self {
        let mut model = Self {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            places: HashMap::new(),
        };
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for item in std::fs::read_dir(folder).unwrap() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.is_file() {
                    let bytes = std::fs::read(&path).unwrap();
                    let file = model.add(path.clone());
                    model.files[file].durable.clone_from(&bytes);
                    model.files[file].now = bytes;
                    model.durable_names.insert(path, file);
                }
            }
        }
        model
    }

    fn add(&mut self, path: PathBuf) -> usize {
        self.files.push(File::default());
        self.names.insert(path, self.files.len() - 1);
        self.files.len() - 1
    }

    /// Applies one call.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Create {
                path,
                truncate,
                file,
            } => {
                let known = self.names.get(path).copied();
                let node = known.unwrap_or_else(|| self.add(path.clone()));
                if *truncate {
                    self.files[node].now.clear();
                }
                self.places.insert(*file, 0);
            }
            Event::Append { file, path, bytes } => {
                let at = self.places.get(file).copied().unwrap_or(0);
                self.write(path, at, bytes);
                self.places.insert(*file, at + bytes.len());
            }
            Event::Write { path, at, bytes } => self.write(path, *at, bytes),
            Event::Length { path, length } => {
                if let Some(&node) = self.names.get(path) {
                    self.files[node].now.resize(*length, 0);
                }
            }
            Event::Sync(path) => self.sync(path),
            Event::Rename { from, to } => {
                if let Some(node) = self.names.remove(from) {
                    self.names.insert(to.clone(), node);
                }
            }
            Event::Remove(path) => drop(self.names.remove(path)),
            Event::Folder(_) | Event::Answer => {}
        }
    }

    fn write(&mut self, path: &Path, at: usize, bytes: &[u8]) {
        let Some(&node) = self.names.get(path) else {
            return;
        };
        let now = &mut self.files[node].now;
        let end = at + bytes.len();
        if now.len() < end {
            now.resize(end, 0);
        }
        now[at..end].copy_from_slice(bytes);
    }

    fn sync(&mut self, path: &Path) {
        if let Some(&node) = self.names.get(path) {
            let file = &mut self.files[node];
            file.durable.clone_from(&file.now);
            return;
        }
        // A folder: its names are as they are now.
        let inside = |name: &Path| name.parent() == Some(path);
        self.durable_names.retain(|name, _| !inside(name));
        let now = self.names.iter().filter(|(name, _)| inside(name));
        let now: Vec<_> = now.map(|(name, node)| (name.clone(), *node)).collect();
        self.durable_names.extend(now);
    }

    /// Writes what a power cut leaves of `root` to the new folder `to`.
    pub fn cut(&self, survival: Survival, root: &Path, to: &Path) {
        let names = match survival {
            Survival::Nothing => &self.durable_names,
            Survival::Names | Survival::Half => &self.names,
        };
        for (path, node) in names {
            let Ok(name) = path.strip_prefix(root) else {
                continue;
            };
            let file = &self.files[*node];
            let mut bytes = file.durable.clone();
            if survival == Survival::Half && file.now.starts_with(&bytes) {
                let end = bytes.len() + (file.now.len() - bytes.len()) / 2;
                bytes.extend_from_slice(&file.now[bytes.len()..end]);
            }
            let path = to.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            // Key files that others may read are refused.
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
    }

    /// Whether the model and the folder agree about every file: the trace missed nothing.
    pub fn agrees_with(&self, root: &Path) -> Result<(), String> {
        for (path, node) in &self.names {
            if !path.starts_with(root) {
                continue;
            }
            let found = std::fs::read(path).unwrap_or_default();
            if found != self.files[*node].now {
                let known = self.files[*node].now.len();
                let shown = path.display();
                return Err(format!(
                    "{shown}: {} bytes, the trace gives {known}",
                    found.len()
                ));
            }
        }
        Ok(())
    }
}

#[test]
fn unsynced_bytes_and_names_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let path = |name: &str| root.join(name);
    let shown: String = root
        .to_str()
        .unwrap()
        .bytes()
        .map(|byte| format!("\\x{byte:02x}"))
        .collect();
    let text = format!(
        "1 openat(AT_FDCWD<{shown}>, \"\\x61\", O_RDWR|O_CREAT, 0600) = 5<{shown}\\x2f\\x61>\n\
         1 write(5<{shown}\\x2f\\x61>, \"\\x68\\x69\", 2 <unfinished ...>\n\
         2 fsync(9<socket:[1]>) = 0\n\
         1 <... write resumed>) = 2\n\
         1 fsync(5<{shown}\\x2f\\x61>) = 0\n\
         1 pwrite64(5<{shown}\\x2f\\x61>, \"\\x21\\x21\", 2, 2) = 2\n\
         1 sendto(7<socket:[2]>, \"\\x48\\x54\\x54\\x50\\x2f\\x31\\x2e\\x31\\x20\\x32\\x30\\x30\", 12, 0, NULL, 0) = 12\n"
    );
    let events = read(&text);
    assert_eq!(events.len(), 5, "{events:?}");
    assert_eq!(events[4], Event::Answer);
    let mut model = DiskModel::of_folder(&root);
    events.iter().for_each(|event| model.apply(event));
    let cut = |survival| {
        let to = tempfile::tempdir().unwrap();
        model.cut(survival, &root, to.path());
        std::fs::read(to.path().join("a")).ok()
    };
    assert_eq!(cut(Survival::Nothing), None);
    assert_eq!(cut(Survival::Names), Some(b"hi".to_vec()));
    assert_eq!(cut(Survival::Half), Some(b"hi!".to_vec()));
    model.apply(&Event::Sync(root.clone()));
    let to = tempfile::tempdir().unwrap();
    model.cut(Survival::Nothing, &root, to.path());
    assert_eq!(std::fs::read(to.path().join("a")).unwrap(), b"hi");
    std::fs::write(path("a"), b"hi!!").unwrap();
    assert_eq!(model.agrees_with(&root), Ok(()));
}

#[test]
fn a_send_is_an_answer_once_also_where_the_process_was_killed_in_it() {
    let sent = "1 writev(7<socket:[2]>, [{iov_base=\"\\x48\\x54\\x54\\x50\\x2f\\x31\\x2e\\x31\\x20\\x32\"}], 2";
    for (ends, answers) in [
        (&[") = 12"][..], 1),
        (&[") = -1 EAGAIN (Resource temporarily unavailable)"], 0),
        (&[") = ? ERESTARTSYS (To be restarted)", ") = 12"], 1),
        (&[" <unfinished ...>"], 1),
        (&[" <unfinished ...>) = ?"], 1),
        (&[") = ?"], 1),
    ] {
        let text: String = ends.iter().map(|end| format!("{sent}{end}\n")).collect();
        let text = format!("{text}1 +++ killed by SIGKILL +++\n");
        assert_eq!(read(&text), vec![Event::Answer; answers], "{ends:?}");
    }
}
