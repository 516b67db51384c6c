//! The file itself: whole lines only, rotated by size.
//!
//! A torn last line, left by a crash or a full disk, is cut before anything is appended; a write that
//! fails half-way is taken back. A file that was moved or removed by others is made anew. Everything
//! here may block, so it runs on a thread that may. Nothing is synced to the disk itself.

use super::stamp::{is_stamp, stamp};
use crate::config;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The path that stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// Bytes read at a time on the way back to the last line's end.
const BLOCK: u64 = 64 << 10;

/// The resolution of stamps.
const MILLISECOND_NS: u64 = 1_000_000;

/// What could not be done, and where.
#[derive(Debug, thiserror::Error)]
#[error("`{}`, byte {at}: cannot {action}: {source}", path.display())]
pub(super) struct WriteError {
    path: PathBuf,
    at: u64,
    action: &'static str,
    source: io::Error,
}

/// Appends lines.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    rotate_bytes: u64,
    rotate_keep: usize,
    /// The wall clock, in nanoseconds since the epoch: names of rotated files.
    clock: fn() -> u64,
    /// When the file was last rotated: later files have later names, even when the clock was set back.
    rotated_ns: u64,
    file: Option<File>,
}

impl Writer {
    pub(super) fn new(options: &config::File, clock: fn() -> u64) -> Self {
        Writer {
            path: options.path.clone(),
            rotate_bytes: options.rotate_bytes,
            rotate_keep: options.rotate_keep,
            clock,
            rotated_ns: 0,
            file: None,
        }
    }

    /// Opens a regular file now. Others (a pipe may block until it has a reader) wait for the first line.
    pub(super) fn open_early(&mut self) -> io::Result<()> {
        let other = fs::metadata(&self.path).is_ok_and(|known| !known.is_file());
        if self.is_standard_output() || other {
            return Ok(());
        }
        self.file = Some(open(&self.path)?);
        Ok(())
    }

    /// Appends whole lines, or nothing.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        if self.is_standard_output() {
            let mut output = io::stdout().lock();
            return output
                .write_all(lines)
                .and_then(|()| output.flush())
                .map_err(|source| self.error(0, "write", source));
        }
        let (file, length) = self.ready(lines.len() as u64)?;
        let mut file = file;
        if let Err(source) = file.write_all(lines) {
            if let Some(length) = length {
                // When this fails too, the torn line is cut at the next opening.
                let _ = file.set_len(length);
            }
            self.file = None;
            return Err(self.error(length.unwrap_or(0), "write", source));
        }
        Ok(())
    }

    /// The open file with its length, with room for `more` bytes; no length when it is not a regular
    /// file.
    fn ready(&mut self, more: u64) -> Result<(&File, Option<u64>), WriteError> {
        if self.was_moved() {
            self.file = None;
        }
        let mut length = self.length()?;
        if let Some(full) = length
            && self.rotate_bytes > 0
            && full > 0
            && full.saturating_add(more) > self.rotate_bytes
        {
            self.rotate().map_err(|source| self.error(full, "rotate", source))?;
            length = self.length()?;
        }
        match &self.file {
            Some(file) => Ok((file, length)),
            None => Err(self.error(0, "open", io::ErrorKind::NotFound.into())),
        }
    }

    /// The length of the file, which is opened first where it is not.
    fn length(&mut self) -> Result<Option<u64>, WriteError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open(&self.path).map_err(|source| self.error(0, "open", source))?,
        };
        let known = file.metadata().map_err(|source| self.error(0, "look at it", source))?;
        self.file = Some(file);
        Ok(known.is_file().then_some(known.len()))
    }

    fn is_standard_output(&self) -> bool {
        self.path == Path::new(STANDARD_OUTPUT)
    }

    /// Whether the path names another file than the open one, or none.
    fn was_moved(&self) -> bool {
        let Some(open) = self.file.as_ref().and_then(|file| file.metadata().ok()) else { return false };
        !fs::metadata(&self.path).is_ok_and(|named| (named.dev(), named.ino()) == (open.dev(), open.ino()))
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut now_ns = (self.clock)().max(self.rotated_ns + MILLISECOND_NS);
        let to = loop {
            let to = self.rotated(&stamp(now_ns));
            if !to.try_exists()? {
                break to;
            }
            now_ns += MILLISECOND_NS;
        };
        fs::rename(&self.path, to)?;
        self.rotated_ns = now_ns;
        self.file = None;
        if let Err(error) = self.prune() {
            tracing::warn!("rotated files beside `{}` cannot be removed: {error}", self.path.display());
        }
        Ok(())
    }

    /// `name-STAMP.extension` beside the file.
    fn rotated(&self, stamp: &str) -> PathBuf {
        let mut name = self.path.file_stem().unwrap_or_default().to_owned();
        name.push("-");
        name.push(stamp);
        if let Some(extension) = self.path.extension() {
            name.push(".");
            name.push(extension);
        }
        self.path.with_file_name(name)
    }

    /// Removes the oldest rotated files until as many are left as are to be kept.
    fn prune(&self) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let stem = self.path.file_stem().unwrap_or_default();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let path = self.path.with_file_name(&name);
            let stamp = path.file_stem().and_then(|found| found.to_str()).and_then(|found| {
                found.strip_prefix(stem.to_str()?)?.strip_prefix('-').filter(|stamp| is_stamp(stamp))
            });
            if stamp.is_some() && path.extension() == self.path.extension() {
                found.push(path);
            }
        }
        found.sort();
        let old = found.len().saturating_sub(self.rotate_keep);
        found[..old].iter().try_for_each(fs::remove_file)
    }

    fn error(&self, at: u64, action: &'static str, source: io::Error) -> WriteError {
        WriteError { path: self.path.clone(), at, action, source }
    }
}

/// Opens for appending, and cuts a torn last line.
fn open(path: &Path) -> io::Result<File> {
    let regular = !fs::metadata(path).is_ok_and(|known| !known.is_file());
    let mut file = OpenOptions::new().append(true).create(true).read(regular).open(path)?;
    if regular {
        let length = file.metadata()?.len();
        let whole = whole_lines(&mut file, length)?;
        if whole < length {
            tracing::warn!("`{}`: a torn last line of {} bytes is cut", path.display(), length - whole);
            file.set_len(whole)?;
        }
    }
    Ok(file)
}

/// The length up to the last line's end.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.resize((end - start) as usize, 0);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(path: &Path, rotate_bytes: u64, rotate_keep: usize) -> Writer {
        let options = config::File { path: path.to_owned(), rotate_bytes, rotate_keep };
        // 2026-01-31T08:05:09.250Z, always: stamps of one moment must not overwrite each other.
        Writer::new(&options, || 1_769_846_709_250_000_000)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_torn_last_line_is_cut_when_the_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let long = "x".repeat(200_000);
        for (before, kept) in [
            (String::new(), ""),
            ("a\nb\n".into(), "a\nb\n"),
            ("a\nb".into(), "a\n"),
            ("torn".into(), ""),
            (format!("a\n{long}"), "a\n"),
        ] {
            fs::write(&path, before).unwrap();
            let mut writer = writer(&path, 0, 0);
            writer.open_early().unwrap();
            writer.append(b"new\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}new\n"));
        }
    }

    #[test]
    fn files_rotate_by_size_and_only_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        for bystander in ["out-notes.jsonl", "out-2026-01-31T08-05-09.250.txt", "other.jsonl"] {
            fs::write(folder.path().join(bystander), "").unwrap();
        }
        let mut writer = writer(&path, 10, 2);
        for line in ["1234567\n", "1\n", "2\n", "longer than the limit\n", "3\n", "4\n", "123456789\n"] {
            writer.append(line.as_bytes()).unwrap();
        }
        assert_eq!(
            names(folder.path()),
            [
                "other.jsonl",
                "out-2026-01-31T08-05-09.250.txt",
                "out-2026-01-31T08-05-09.252.jsonl",
                "out-2026-01-31T08-05-09.253.jsonl",
                "out-notes.jsonl",
                "out.jsonl",
            ]
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "123456789\n");
    }

    #[test]
    fn a_file_moved_by_others_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let mut writer = writer(&path, 0, 0);
        writer.append(b"a\n").unwrap();
        fs::rename(&path, folder.path().join("taken")).unwrap();
        writer.append(b"b\n").unwrap();
        fs::remove_file(&path).unwrap();
        writer.append(b"c\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "c\n");
        assert_eq!(names(folder.path()), ["out.jsonl", "taken"]);
    }

    #[test]
    fn errors_say_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/out.jsonl");
        let error = writer(&path, 0, 0).append(b"a\n").unwrap_err().to_string();
        let error = error.replace(folder.path().to_str().unwrap(), "");
        insta::assert_snapshot!(error, @"`/absent/out.jsonl`, byte 0: cannot open: No such file or directory (os error 2)");
        // A device that is always full.
        let error = writer(Path::new("/dev/full"), 0, 0).append(b"a\n").unwrap_err().to_string();
        insta::assert_snapshot!(error, @"`/dev/full`, byte 0: cannot write: No space left on device (os error 28)");
    }
}
