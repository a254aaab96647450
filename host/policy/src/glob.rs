use std::fmt;

use crate::limits::MAX_GLOB;

/// A pattern of `like`: `*` is any text without `/`, `**` any text, all else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Glob {
    text: Box<str>,
    tokens: Box<[Token]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Char(char),
    /// `*`
    Within,
    /// `**`
    Across,
}

impl Glob {
    /// Takes a pattern; `None` if it is empty or over the limit.
    pub(crate) fn new(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_GLOB {
            return None;
        }
        let mut tokens = Vec::with_capacity(text.len());
        for c in text.chars() {
            match (c, tokens.last_mut()) {
                ('*', Some(last @ (Token::Within | Token::Across))) => *last = Token::Across,
                ('*', _) => tokens.push(Token::Within),
                (c, _) => tokens.push(Token::Char(c)),
            }
        }
        Some(Self { text: text.into(), tokens: tokens.into() })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it consists of wildcards only.
    pub(crate) fn matches_all(&self) -> bool {
        !self.tokens.iter().any(|token| matches!(token, Token::Char(_)))
    }

    /// Whether all of `value` matches.
    ///
    /// All ways to match are followed at once, a state per token, so the cost is the product of
    /// both lengths and never more.
    pub(crate) fn matches(&self, value: &str) -> bool {
        let literal = self.tokens.iter().map_while(|token| match token {
            Token::Char(c) => Some(*c),
            Token::Within | Token::Across => None,
        });
        let mut start = value.chars();
        let mut fixed = 0;
        for wanted in literal {
            if start.next() != Some(wanted) {
                return false;
            }
            fixed += 1;
        }
        let rest = self.tokens.get(fixed..).unwrap_or_default();
        follow(rest, start)
    }
}

fn follow(tokens: &[Token], value: impl Iterator<Item = char>) -> bool {
    // `alive[i]`: the tokens before `i` have matched all characters so far.
    let mut alive = vec![false; tokens.len() + 1];
    alive[0] = true;
    skip_wildcards(tokens, &mut alive);
    for c in value {
        let mut next = vec![false; tokens.len() + 1];
        for (at, token) in tokens.iter().enumerate().filter(|(at, _)| alive[*at]) {
            match token {
                Token::Char(wanted) => next[at + 1] |= *wanted == c,
                Token::Within => next[at] |= c != '/',
                Token::Across => next[at] = true,
            }
        }
        skip_wildcards(tokens, &mut next);
        alive = next;
    }
    alive.last().copied().unwrap_or(false)
}

/// A wildcard may also match nothing.
fn skip_wildcards(tokens: &[Token], alive: &mut [bool]) {
    for (at, token) in tokens.iter().enumerate() {
        if alive[at] && !matches!(token, Token::Char(_)) {
            alive[at + 1] = true;
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(glob: &str, value: &str) -> bool {
        Glob::new(glob).unwrap().matches(value)
    }

    #[test]
    fn one_star_stops_at_a_slash_and_two_do_not() {
        assert!(matches("shop/web:*", "shop/web:1.2"));
        assert!(!matches("shop/*", "shop/web/1"));
        assert!(matches("shop/**", "shop/web/1"));
        assert!(matches("/usr/**/bin/*", "/usr/local/x/bin/a"));
        assert!(!matches("/usr/**/bin/*", "/usr/local/x/bin/a/b"));
        assert!(matches("a*", "a") && matches("*", "") && matches("***", "x/y"));
        assert!(!matches("a", "ab") && !matches("ab", "a") && matches("ab", "ab"));
        assert!(matches("*a*b*", "xaybz") && !matches("*a*b*", "xay/bz"));
    }

    #[test]
    fn nothing_else_is_special() {
        for text in ["a?c", "[ab]", "a\\*", "{a,b}", "a.c"] {
            let one_char_off = text.replace(['?', '[', '{', '.'], "x");
            assert!(matches(text, &text.replace('*', "z")), "{text}");
            assert!(text.contains('*') || !matches(text, &one_char_off), "{text}");
        }
    }

    #[test]
    fn what_matches_everything_is_recognised() {
        for (glob, all) in
            [("*", true), ("**", true), ("*****", true), ("*a", false), ("/**", false)]
        {
            assert_eq!(Glob::new(glob).unwrap().matches_all(), all, "{glob}");
        }
        assert!(Glob::new("").is_none());
        assert!(Glob::new(&"x".repeat(MAX_GLOB + 1)).is_none());
    }

    /// The definition, by trying every way.
    fn by_definition(glob: &[char], value: &[char]) -> bool {
        match glob {
            [] => value.is_empty(),
            ['*', '*', rest @ ..] => (0..=value.len()).any(|n| by_definition(rest, &value[n..])),
            ['*', rest @ ..] => (0..=value.len())
                .take_while(|n| !value[..*n].contains(&'/'))
                .any(|n| by_definition(rest, &value[n..])),
            [c, rest @ ..] => value.first() == Some(c) && by_definition(rest, &value[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_matches_by_its_definition(glob in "[ab/*]{1,8}", value in "[ab/]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&glob, &value), by_definition(&chars(&glob), &chars(&value)));
        }
    }
}
