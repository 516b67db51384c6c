//! Why a message was refused, or taken with a remark: closed lists shared by the decoder, the
//! counters, `/status` and the documentation.
//!
//! A reason names what is wrong with the bytes, never who sent them. Next: `metric.rs`.

/// Why a message was refused. Its neighbours in the packet live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reject {
    EmptyName,
    NoValue,
    NoType,
    BadType,
    BadValue,
    BadRate,
    BadTimestamp,
    TooLong,
    TooManyTags,
    NotUtf8,
    ControlCharacter,
    MixedTaggingStyles,
    ReservedName,
    BadEvent,
    BadCheck,
    BadCheckStatus,
}

/// What was odd about a message that was taken all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Remark {
    /// Empty tags were left out.
    EmptyTag,
    /// A SignalFx bracket without its partner, or an Influx/Librato tag without `=`: the name stays as it is.
    BadTag,
    /// `T` on a type that cannot carry it: the field was ignored.
    TimestampIgnored,
    /// A sample rate below the smallest that is counted: clamped.
    RateClamped,
    /// A field with an unknown letter, or with a word that its letter does not know, was skipped.
    UnknownField,
    /// A field occurred more than once: the last one counts.
    RepeatedField,
}

macro_rules! closed {
    ($type:ident { $($variant:ident $name:literal $meaning:literal,)* }) => {
        impl $type {
            pub const ALL: [$type; [$($type::$variant),*].len()] = [$($type::$variant),*];
            pub const COUNT: usize = Self::ALL.len();

            /// The name used in metrics, `/status` and documentation.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $name,)* }
            }

            /// One sentence for people.
            pub fn meaning(self) -> &'static str {
                match self { $($type::$variant => $meaning,)* }
            }
        }
    };
}

closed!(Reject {
    EmptyName "empty_name" "there is nothing before the first colon",
    NoValue "no_value" "there is no colon before the first `|`, so no value",
    NoType "no_type" "there is no `|` behind the value, so no type",
    BadType "bad_type" "the type is none of c, g, ms, h, d, s",
    BadValue "bad_value" "a value is not a finite number",
    BadRate "bad_rate" "the sample rate is not a number above 0 and at most 1",
    BadTimestamp "bad_timestamp" "the timestamp is not a whole number of seconds, at least 1",
    TooLong "too_long" "the name or a tag is longer than the limit",
    TooManyTags "too_many_tags" "there are more tags than the limit",
    NotUtf8 "not_utf8" "the name or a tag is not UTF-8",
    ControlCharacter "control_character" "the name or a tag holds a control character",
    MixedTaggingStyles "mixed_tagging_styles" "tags stand in the name and behind `|#` at once",
    ReservedName "reserved_name" "the name `pillion`, alone or before anything but a letter or digit, is pillion's own",
    BadEvent "bad_event" "the event's lengths do not fit its bytes",
    BadCheck "bad_check" "the service check has no name or no status",
    BadCheckStatus "bad_check_status" "the service check's status is none of 0, 1, 2, 3",
});

closed!(Remark {
    EmptyTag "empty_tag" "empty tags were left out",
    BadTag "bad_tag" "a tag in the name could not be read; the name was kept as it stands",
    TimestampIgnored "timestamp_ignored" "a timestamp on a type that cannot carry one was ignored",
    RateClamped "rate_clamped" "a tiny sample rate was raised to the smallest that is counted",
    UnknownField "unknown_field" "a field with an unknown letter or word was skipped",
    RepeatedField "repeated_field" "a field occurred more than once, the last one was taken",
});
