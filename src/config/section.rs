//! How options are declared: one line holds an option's name, type, form, default and meaning, and
//! from it come the field, the loader, the known keys, the example, the reference and `check`.
//!
//! An option's doc comment is its documentation for users: what it is, its unit, what it changes.

use super::format::Shape;
use super::load::Load;
use super::node::Table;

/// A table of options.
pub(crate) trait Section: Sized {
    /// The struct's doc comment.
    const ABOUT: &'static str;

    /// All options in the order of their declaration.
    fn options() -> Vec<Opt>;

    /// Takes the options that `table` holds over; the others keep their value.
    fn read(&mut self, path: &str, table: &Table, load: &mut Load);

    /// Every option with its value as TOML; `None` where an optional one is not set.
    fn values(&self) -> Vec<(&'static str, Option<String>)>;
}

/// What is known of an option beside its value.
#[derive(Clone, Debug)]
pub(crate) struct Opt {
    pub(crate) key: &'static str,
    /// "duration", "size in bytes": for the reference.
    pub(crate) kind: String,
    pub(crate) doc: &'static str,
    /// As TOML; `None` when the option has none.
    pub(crate) default: Option<String>,
    pub(crate) sample: Option<Sample>,
    pub(crate) shape: Shape,
    pub(crate) secret: bool,
}

/// A value to show for an option that has no default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// As TOML.
    pub(crate) text: &'static str,
    pub(crate) required: bool,
}

/// An option that may stay unset.
pub(crate) const fn example(text: &'static str) -> Sample {
    Sample { text, required: false }
}

/// An option that must be written.
pub(crate) const fn required(text: &'static str) -> Sample {
    Sample { text, required: true }
}

/// Declares a section: `field "key": Type as Form = default;`, with `, example "…"` or
/// `, required "…"` (a value as TOML) where there is no default to show. Fields that are no options
/// stand in a block `given { … }` before.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $(given {
                $($(#[doc = $given_doc:literal])+ $given:ident: $given_type:ty = $given_default:expr;)*
            })?
            $($(#[doc = $doc:literal])+
              $field:ident $key:literal: $type:ty as $format:ty = $default:expr $(, $mark:ident $sample:literal)?;)*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($($(#[doc = $given_doc])+ pub $given: $given_type,)*)?
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($($given: $given_default,)*)? $($field: $default,)* }
            }
        }

        impl $crate::config::section::Section for $name {
            const ABOUT: &'static str = concat!($($about, "\n",)+);

            fn options() -> Vec<$crate::config::section::Opt> {
                use $crate::config::format::Format;
                let default = $name::default();
                vec![$({
                    #[allow(unused_mut, unused_assignments, reason = "not every option has a sample")]
                    let mut sample: Option<$crate::config::section::Sample> = None;
                    $(sample = Some($crate::config::section::$mark($sample));)?
                    $crate::config::section::Opt {
                        key: $key,
                        kind: <$format as Format>::kind(),
                        doc: concat!($($doc, "\n",)+),
                        default: if sample.is_some() { None } else { <$format as Format>::show(&default.$field) },
                        sample,
                        shape: <$format as Format>::SHAPE,
                        secret: <$format as Format>::SECRET,
                    }
                }),*]
            }

            fn read(
                &mut self,
                path: &str,
                table: &$crate::config::node::Table,
                load: &mut $crate::config::load::Load,
            ) {
                $(if let Some(value) = load.option::<$format>(path, $key, table) {
                    self.$field = value;
                })*
            }

            fn values(&self) -> Vec<(&'static str, Option<String>)> {
                use $crate::config::format::Format;
                vec![$(($key, <$format as Format>::show(&self.$field))),*]
            }
        }
    };
}

pub(crate) use section;
