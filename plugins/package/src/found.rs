/// A package of a scripting language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name.
    pub(crate) name: String,
    /// Its version, if it says one.
    pub(crate) version: Option<String>,
}
