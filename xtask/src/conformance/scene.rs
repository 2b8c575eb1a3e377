//! A project and a home that exist for one run, with what the calls of a sheet name.
//!
//! It owns the throw-away folders, the links in them, and writing generated names as paths there.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::grammar::Sheet;
use super::{files, tools};

/// The shell of a run: it starts the MCP servers, which the program gives it too, and nothing else.
const SHELL: &str =
    "#!/bin/sh\ncase \"$*\" in *stub_mcp_server.py*) exec sh -c \"$*\";; esac\nexit 0\n";

/// A project and a home that exist for one run.
#[derive(Clone, Debug)]
pub struct Scene {
    root: PathBuf,
}

impl Scene {
    /// Makes the folders, the fixtures and the links.
    ///
    /// # Errors
    /// The folder exists or cannot be written.
    pub fn new(root: &Path) -> Result<Self> {
        fs::create_dir(root).with_context(|| root.display().to_string())?;
        let scene = Self {
            root: root.canonicalize()?,
        };
        for file in files::FIXTURES {
            scene.write(file, "fixture\n")?;
        }
        for notebook in tools::NOTEBOOKS {
            scene.write(notebook, tools::NOTEBOOK)?;
        }
        let named =
            |name: &str| format!("---\nname: {name}\ndescription: {name}\n---\nDo nothing.\n");
        for skill in tools::SKILLS {
            scene.write(&format!(".claude/skills/{skill}/SKILL.md"), &named(skill))?;
        }
        for agent in tools::AGENTS {
            scene.write(&format!(".claude/agents/{agent}.md"), &named(agent))?;
        }
        for (link, target) in files::LINKS {
            symlink(scene.path(target), scene.path(link))?;
        }
        fs::create_dir(scene.listings())?;
        let shell = scene.root.join("shell");
        fs::write(&shell, SHELL)?;
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755))?;
        Ok(scene)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, text)?;
        Ok(())
    }

    /// Where a generated name is: in the home where it begins with `~/`, else in the project.
    fn path(&self, name: &str) -> PathBuf {
        match name.strip_prefix("~/") {
            Some(below) => self.home().join(below),
            None => self.project().join(name),
        }
    }

    /// The folder of everything.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The working directory.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// The home directory.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Where each MCP server writes down when it listed its tools.
    #[must_use]
    pub fn listings(&self) -> PathBuf {
        self.root.join("listings")
    }

    /// The rules of a sheet, with this project's path in those that name it.
    #[must_use]
    pub fn permissions(&self, sheet: &Sheet) -> Value {
        let project = self.project().display().to_string();
        let mut permissions = sheet.permissions.clone();
        let lists = permissions
            .as_object_mut()
            .into_iter()
            .flat_map(|all| all.values_mut());
        for rule in lists.filter_map(Value::as_array_mut).flatten() {
            if let Some(text) = rule.as_str() {
                *rule = json!(text.replace(files::PROJECT, &project));
            }
        }
        permissions
    }

    /// The row that asks another program about one call of a sheet.
    #[must_use]
    pub fn row(&self, sheet: &Sheet, tool: &str, input: &Value) -> Value {
        let (project, home) = (self.project(), self.home());
        let link = |(link, target): &(&str, &str)| {
            let text = |name| self.path(name).display().to_string();
            (text(link), json!(text(target)))
        };
        let links: serde_json::Map<String, Value> = files::LINKS.iter().map(link).collect();
        json!({
            "permissions": self.permissions(sheet), "settings_source": "flag-inline",
            "cwd": project.display().to_string(), "home": home.display().to_string(),
            "tool": tool, "input": self.input(tool, input), "links": links,
        })
    }

    /// File tools take absolute paths.
    #[must_use]
    pub fn input(&self, tool: &str, input: &Value) -> Value {
        let mut input = input.clone();
        for member in ["file_path", "notebook_path"] {
            if let (true, Some(file)) = (tool != "Bash", input[member].as_str()) {
                input[member] = json!(self.path(file).display().to_string());
            }
        }
        input
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths_of_the_scene() {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::new(&folder.path().join("scene")).unwrap();
        let path =
            |name: &str| scene.input("Read", &json!({ "file_path": name }))["file_path"].clone();
        let (project, home) = (scene.project(), scene.home());
        assert_eq!(path("src/a.ts"), json!(project.join("src/a.ts")));
        assert_eq!(path("~/notes.md"), json!(home.join("notes.md")));
        assert_eq!(path("/etc/hostname"), json!("/etc/hostname"));
        let sheet = Sheet {
            permissions: json!({ "deny": ["Read(/@project/src/**)", "Bash(x)"] }),
            calls: Vec::new(),
        };
        let rules = json!({ "deny": [format!("Read(/{}/src/**)", project.display()), "Bash(x)"] });
        assert_eq!(scene.permissions(&sheet), rules);
        for (link, target) in files::LINKS {
            let (link, target) = (scene.path(link), scene.path(target));
            assert_eq!(link.canonicalize().unwrap(), target.canonicalize().unwrap());
        }
    }
}
