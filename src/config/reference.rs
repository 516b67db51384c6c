//! Generated text: the example file and the reference, both from the declarations of the options.
//!
//! Tests hold the committed files to this text and name the command that writes them anew.

use super::backends::TypeName;
use super::schema::{Chapter, ChapterKind, chapters};
use super::section::Opt;
use std::fmt::Write;

/// `config.toml.example`: every option with its default. Prose stands behind `# `, what is off
/// behind a bare `#`.
pub fn example() -> String {
    let mut text = String::from(
        "# pillion: every option with its default. Nothing here needs to be written: pillion runs without a\n\
         # file. Lines with `#` and no blank behind it are off; remove the `#` to use them. Each option can be\n\
         # set by the variable named above it, which wins over this file. Written by `pillion config example`.\n",
    );
    let chapters = chapters();
    for chapter in &chapters {
        match chapter.kind {
            ChapterKind::Table => {
                // A table without defaults is off as a whole.
                let off = chapter.options.iter().all(|option| option.default.is_none())
                    || chapter.options.iter().any(|option| option.sample.is_some());
                example_chapter(&mut text, chapter, &chapter.header(), off);
            }
            ChapterKind::List => example_chapter(&mut text, chapter, &chapter.header(), true),
            // Told with the first type of backend, which is complete.
            ChapterKind::Delivery => {}
            ChapterKind::Backend(of_type) => example_backend(&mut text, chapter, of_type, &chapters),
        }
    }
    text
}

fn example_chapter(text: &mut String, chapter: &Chapter, header: &str, off: bool) {
    text.push('\n');
    prose(text, chapter.about);
    if chapter.kind == ChapterKind::List {
        prose(text, "All rules together are set by PILLION_RULES, as a TOML array of tables.");
    }
    line(text, off, header);
    for option in &chapter.options {
        example_option(text, chapter, option, off, "");
    }
}

fn example_backend(text: &mut String, chapter: &Chapter, of_type: TypeName, all: &[Chapter]) {
    let backend = of_type.word().to_uppercase();
    text.push('\n');
    prose(text, chapter.about);
    line(text, true, &format!("[backends.{}]", of_type.word()));
    line(text, true, &format!("type = \"{}\"", of_type.word()));
    for option in &chapter.options {
        example_option(text, chapter, option, true, &backend);
    }
    if Some(of_type) != TypeName::ALL.first().copied() {
        text.push('\n');
        prose(text, "And the options of every backend, as above.");
        return;
    }
    for delivery in all.iter().filter(|chapter| chapter.kind == ChapterKind::Delivery) {
        text.push('\n');
        prose(text, delivery.about);
        for option in delivery.options.iter().filter(|option| option.key != "type") {
            example_option(text, delivery, option, true, &backend);
        }
    }
}

fn example_option(text: &mut String, chapter: &Chapter, option: &Opt, off: bool, backend: &str) {
    text.push('\n');
    prose(text, option.doc);
    if let Some(variable) = chapter.variable(option.key, backend) {
        prose(text, &format!("{} · {variable}", option.kind));
    } else {
        prose(text, &option.kind);
    }
    match (&option.default, option.sample) {
        (_, Some(sample)) => line(text, true, &format!("{} = {}", option.key, sample.text)),
        (Some(default), None) => line(text, off, &format!("{} = {default}", option.key)),
        (None, None) => {}
    }
}

fn prose(text: &mut String, doc: &str) {
    for doc_line in doc.lines() {
        text.push_str("# ");
        text.push_str(doc_line.trim());
        text.push('\n');
    }
}

fn line(text: &mut String, off: bool, content: &str) {
    if off {
        text.push('#');
    }
    text.push_str(content);
    text.push('\n');
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `pillion config reference`; a test fails when it is stale. -->

pillion runs without any configuration. What differs from the defaults below is written in a TOML file,
named by `--config FILE` or `PILLION_CONFIG`, or set by environment variables, which win over the file.
[config.toml.example](../config.toml.example) shows every option with its default.

`pillion check` says whether a configuration is right without starting anything: it prints the effective
values, each with its origin and with secrets hidden, or every mistake with its line, and exits with 64.
An unknown key, or an unknown variable that begins with `PILLION_`, is a mistake.

## How values are written

| form | in the file | in a variable |
|---|---|---|
| duration | `\"10s\"`, `\"500ms\"`, `\"1h30m\"`; units `d`, `h`, `m`, `s`, `ms`, `us`, `ns`; `0` | `10s` |
| size in bytes | `212992`, `\"64KiB\"`, `\"4MiB\"`, `\"1GB\"` | `4MiB` |
| list | `[\"a\", \"b\"]` | `a,b`, or as in the file |
| table | `{ a = \"x\" }` | `a=x,b=y`, or as in the file |
| text, number, switch | `\"text\"`, `10`, `true` | `text`, `10`, `true` |

An empty variable counts as not set. `PILLION_BACKENDS_<NAME>_<OPTION>` sets an option of the backend
`NAME`, which is lower case unless the file has it otherwise; one that is not in the file is made.
`PILLION_RULES` holds all rules as a TOML array of tables.

Variables that are read beside these:

| variable | meaning |
|---|---|
| `PILLION_CONFIG` | the file |
| `DD_ENV`, `DD_SERVICE`, `DD_VERSION`, `DD_TAGS` | tags of every context (`env`, `service`, `version`, and a list); a key in `[metrics] tags` wins, and a message's own key wins over both |
| `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME` | resource attributes: OTLP's resource, `target_info` on `/metrics` |

`DD_ENTITY_ID` says where an application runs (a pod's uid, or `ci-` with a container's id). It is an origin and no tag: without
`statsd.origin` it is without effect. With it, a message that has neither `c:` nor `e:` has the origin that its tag
`dd.internal.entity_id` names, and without that tag (clients send their own `DD_ENTITY_ID` in it, or `none`) the one of pillion's own
`DD_ENTITY_ID`. The tag itself is taken out of every message.
";

/// `docs/configuration.md`: all options with type, default, variable and meaning.
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    for chapter in chapters() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## `{}`\n\n{}\n\n", chapter.title(), joined(chapter.about));
        text.push_str("| option | type | default | meaning |\n|---|---|---|---|\n");
        for option in &chapter.options {
            reference_row(&mut text, &chapter, option);
        }
    }
    text
}

fn reference_row(text: &mut String, chapter: &Chapter, option: &Opt) {
    let default = match (&option.default, option.sample) {
        (Some(default), None) => format!("`{default}`"),
        (_, Some(sample)) if sample.required => format!("required, such as `{}`", sample.text),
        (_, Some(sample)) => format!("none; such as `{}`", sample.text),
        (None, None) => "none".to_owned(),
    };
    let variable =
        chapter.variable(option.key, "<NAME>").map_or(String::new(), |name| format!("<br>`{name}`"));
    let cells = [format!("`{}`{variable}", option.key), option.kind.clone(), default, joined(option.doc)];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// A doc comment as one line.
fn joined(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
