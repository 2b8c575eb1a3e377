//! The scene: a developer's home with a project in it, and programs that leave a mark when they run.
//!
//! Whether something happened is read from these marks and from the files, never from our own log.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Programs that stand in the developer's `PATH`; each writes its name and arguments to the marks.
const MARKED: &[&str] = &["aws", "kubectl", "curl", "left-pad-mcp"];

/// What is in the key file that nobody may read.
pub const PRIVATE_KEY: &str = "not-a-real-key-but-nobody-may-read-it\n";

/// The workflow as it is before anybody edits it.
pub const WORKFLOW: &str = "name: deploy\non: push\n";

/// A developer's home and project.
#[derive(Debug)]
pub struct Scene {
    /// The home folder.
    pub home: PathBuf,
    /// The project folder, a git repository.
    pub project: PathBuf,
    /// Folder of the marked programs, first in `PATH`.
    pub programs: PathBuf,
    marks: PathBuf,
}

impl Scene {
    /// Lays the scene in `root`.
    ///
    /// # Errors
    /// A file cannot be written, or git is missing.
    pub fn lay(root: &Path) -> Result<Self> {
        let scene = Self {
            home: root.join("home"),
            project: root.join("home/app"),
            programs: root.join("home/bin"),
            marks: root.join("marks"),
        };
        let workflows = scene.project.join(".github/workflows");
        for folder in [
            &workflows,
            &scene.programs,
            &scene.home.join(".ssh"),
            &scene.marks,
        ] {
            fs::create_dir_all(folder)?;
        }
        fs::write(scene.workflow(), WORKFLOW)?;
        fs::write(scene.home.join(".ssh/id_ed25519"), PRIVATE_KEY)?;
        fs::write(scene.project.join("README.md"), "# app\n")?;
        let servers =
            r#"{"mcpServers":{"left-pad":{"command":"left-pad-mcp","args":["--stdio"]}}}"#;
        fs::write(scene.project.join(".mcp.json"), servers)?;
        for program in MARKED {
            scene.mark_program(program)?;
        }
        let git = Command::new("git")
            .args(["init", "--quiet"])
            .current_dir(&scene.project)
            .stdout(Stdio::null())
            .status()
            .context("git is needed for the project of the demo")?;
        if !git.success() {
            bail!(
                "git cannot make a repository in `{}`",
                scene.project.display()
            );
        }
        Ok(scene)
    }

    fn mark_program(&self, name: &str) -> Result<()> {
        let mark = self.marks.join(name);
        let script = format!(
            "#!/bin/sh\necho \"$0 $*\" >>'{}'\necho \"{name} ran: $*\"\n",
            mark.display()
        );
        let path = self.programs.join(name);
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// How often a marked program ran.
    #[must_use]
    pub fn runs(&self, program: &str) -> usize {
        fs::read_to_string(self.marks.join(program)).map_or(0, |marks| marks.lines().count())
    }

    /// The workflow file.
    #[must_use]
    pub fn workflow(&self) -> PathBuf {
        self.project.join(".github/workflows/deploy.yml")
    }

    /// Whether the workflow is as it was.
    #[must_use]
    pub fn workflow_untouched(&self) -> bool {
        fs::read_to_string(self.workflow()).is_ok_and(|text| text == WORKFLOW)
    }
}
