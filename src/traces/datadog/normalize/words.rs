//! Which characters Datadog takes in a tag's value and in an operation's name.

use std::borrow::Cow;

/// Characters, and twice as many bytes, of a tag's value.
const TAG_CHARACTERS: usize = 200;

/// A tag's value made of `text` when it has to change: lower case, at most 200 characters, runs of what is
/// not a letter, digit or one of `:./-` as one `_`, none of them at the end.
pub(super) fn tag_value(text: &str) -> Option<String> {
    if is_tag_value(text.as_bytes()) {
        return None;
    }
    let mut made = String::with_capacity(text.len().min(2 * TAG_CHARACTERS));
    // A run of other characters is written once something follows.
    let mut run = false;
    for (count, (at, character)) in text.char_indices().enumerate() {
        let character = lower(character);
        if character.is_alphanumeric() || matches!(character, ':' | '.' | '/' | '-') {
            if run {
                made.push('_');
                run = false;
            }
            made.push(character);
        } else {
            run = true;
        }
        if count + 1 >= TAG_CHARACTERS || at + character.len_utf8() >= 2 * TAG_CHARACTERS {
            break;
        }
    }
    (made != text).then_some(made)
}

/// Whether ASCII text is a tag's value already; that is the rule, and quick to see.
fn is_tag_value(bytes: &[u8]) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b':' | b'.' | b'/' | b'-');
    let underscore = |at: usize| bytes[at] == b'_' && bytes.get(at + 1).is_some_and(|next| plain(*next));
    bytes.len() <= TAG_CHARACTERS && (0..bytes.len()).all(|at| plain(bytes[at]) || underscore(at))
}

/// Only where the lower case is as long in UTF-8.
fn lower(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) if one.len_utf8() == character.len_utf8() => one,
        _ => character,
    }
}

/// An operation's name: from its first ASCII letter on, letters, digits, dots and single underscores, of
/// which none stands before a dot or at the end. None when there is no letter.
pub(super) fn operation(text: &str) -> Option<Cow<'_, str>> {
    let text = &text[text.find(|first: char| first.is_ascii_alphabetic())?..];
    if is_operation(text.as_bytes()) {
        return Some(text.strip_suffix('_').unwrap_or(text).into());
    }
    let mut made = String::with_capacity(text.len());
    for byte in text.bytes() {
        let last = made.as_bytes().last().copied();
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => made.push(byte.into()),
            b'.' => {
                if last == Some(b'_') {
                    made.pop();
                }
                made.push('.');
            }
            _ if matches!(last, Some(b'.' | b'_')) => {}
            _ => made.push('_'),
        }
    }
    if made.ends_with('_') {
        made.pop();
    }
    Some(made.into())
}

fn is_operation(bytes: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => true,
        b'.' | b'_' => at > 0 && bytes[at - 1] != b'_',
        _ => false,
    };
    bytes.iter().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_values_are_made_as_the_agent_makes_them() {
        let long = "a".repeat(300);
        for (text, made) in [
            ("", ""),
            ("checkout", "checkout"),
            ("Checkout Service", "checkout_service"),
            ("ok_", "ok"),
            ("a__b", "a_b"),
            ("_x", "_x"),
            ("!!x!!y!!", "_x_y"),
            ("1abc:d/e-f.g", "1abc:d/e-f.g"),
            ("ÄÖÜ straße", "äöü_straße"),
            ("日本語", "日本語"),
            ("***", ""),
            (&long, &long[..200]),
        ] {
            assert_eq!(tag_value(text).as_deref().unwrap_or(text), made, "{text}");
        }
        assert_eq!(tag_value("日本語"), None);
    }

    #[test]
    fn operations_are_made_as_the_agent_makes_them() {
        for (text, made) in [
            ("web.request", Some("web.request")),
            ("GET /users", Some("GET_users")),
            ("123abc", Some("abc")),
            ("a._b", Some("a._b")),
            ("a_.b c", Some("a.b_c")),
            ("a__b_", Some("a_b")),
            ("grpc-client", Some("grpc_client")),
            ("trailing_", Some("trailing")),
            ("日本語", None),
            ("été", Some("t")),
            ("123", None),
        ] {
            assert_eq!(operation(text).as_deref(), made, "{text}");
        }
    }
}
