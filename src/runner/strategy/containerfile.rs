//! The Containerfile that does what s2i does: source code is put into a builder image, and assembled there.

use std::fmt::Write as _;

use super::builder::Image;
use super::error::StrategyError;

/// Where it goes.
pub(super) const CONTAINERFILE: &str = "work/Containerfile";
/// What it leaves out of the context, beside it, where docker looks for it.
pub(super) const IGNORE: &str = "work/Containerfile.dockerignore";

/// Where scripts are in the source code; they win over the image's.
pub(super) const SCRIPTS: &str = ".s2i/bin";

/// Which scripts the source code has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OwnScripts {
    pub(super) assemble: bool,
    pub(super) run: bool,
    pub(super) save_artifacts: bool,
}

/// What goes into the Containerfile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assembly<'a> {
    /// The builder's immutable reference.
    pub(super) builder: &'a str,
    pub(super) image: &'a Image,
    pub(super) own: OwnScripts,
    /// The image of the build before, if its files are used again.
    pub(super) previous: Option<&'a str>,
}

/// A script, and whether it comes out of the source code.
struct Script {
    path: String,
    name: Option<&'static str>,
}

impl Assembly<'_> {
    /// Its text, without the environment.
    pub(super) fn text(&self) -> Result<String, StrategyError> {
        let destination = self.image.destination()?;
        let assemble = self.script("assemble", self.own.assemble, &destination)?;
        let run = self.script("run", self.own.run, &destination)?;
        let mut text = String::new();
        let saved = self.previous.map(|previous| self.save(previous, &destination, &mut text)).transpose()?;
        let chown = self.image.assemble_user().map(chown).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "FROM {}", self.builder);
        let _ = writeln!(text, "COPY {chown}. {destination}/src");
        for script in [&assemble, &run] {
            script.copy(&chown, &mut text);
        }
        let user = self.image.assemble_user();
        if let Some(saved) = saved {
            let _ = writeln!(text, "COPY --from=cached {chown}{saved} {saved}");
            let _ = writeln!(text, "RUN {}", unpack(&saved, &format!("{destination}/artifacts")));
        }
        if user != self.image.user() {
            let _ = writeln!(text, "USER {}", user.unwrap_or("0"));
        }
        let _ = writeln!(text, "RUN [\"{}\"]", assemble.path);
        if user != self.image.user() {
            let _ = writeln!(text, "USER {}", self.image.user().unwrap_or("0"));
        }
        let _ = writeln!(text, "CMD [\"{}\"]", run.path);
        Ok(text)
    }

    /// The stage that saves files of the build before; answers with the archive.
    fn save(&self, previous: &str, destination: &str, text: &mut String) -> Result<String, StrategyError> {
        let script = self.script("save-artifacts", self.own.save_artifacts, destination)?;
        let archive = format!("{destination}/artifacts.tar");
        let _ = writeln!(text, "FROM {previous} AS cached");
        script.copy("", text);
        // An image without the script has nothing to save.
        let path = script.path;
        let _ = writeln!(text, "RUN if [ -s {path} ]; then {path} > {archive}; else touch {archive}; fi");
        Ok(archive)
    }

    fn script(&self, name: &'static str, is_own: bool, destination: &str) -> Result<Script, StrategyError> {
        if is_own {
            return Ok(Script { path: format!("{destination}/scripts/{name}"), name: Some(name) });
        }
        match self.image.scripts()? {
            Some(dir) => Ok(Script { path: format!("{dir}/{name}"), name: None }),
            None => Err(StrategyError::NoScripts(self.builder.to_owned(), name)),
        }
    }
}

impl Script {
    fn copy(&self, chown: &str, text: &mut String) {
        if let Some(name) = self.name {
            let _ = writeln!(text, "COPY --chmod=0755 {chown}{SCRIPTS}/{name} {}", self.path);
        }
    }
}

/// What is left out of the context: what s2i leaves out, and never the scripts.
pub(super) fn ignore(s2iignore: &str, own: OwnScripts) -> String {
    let scripts = if own == OwnScripts::default() { String::new() } else { format!("!{SCRIPTS}\n") };
    format!(".git\n{}\n{scripts}", s2iignore.trim_end())
}

/// To whom what is copied belongs. A group of its own is OpenShift's way to let any user write.
fn chown(user: &str) -> String {
    match user.contains(':') {
        true => format!("--chown={user} "),
        false => format!("--chown={user}:0 "),
    }
}

fn unpack(archive: &str, to: &str) -> String {
    format!("if [ -s {archive} ]; then mkdir -p {to} && tar -xf {archive} -C {to}; fi && rm -f {archive}")
}
