/// The name nearest to a wrong one, if one is near enough to be what was meant: at most a third of
/// its characters differ, swapped neighbours counting once.
pub(crate) fn nearest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (wrong.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let names = ["unix.uid", "unix.user", "docker.label"];
        assert_eq!(nearest("unix.usr", names), Some("unix.user"));
        assert_eq!(nearest("unix.udi", names), Some("unix.uid"));
        assert_eq!(nearest("systemd.unit", names), None);
    }
}
