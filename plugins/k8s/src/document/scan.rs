use super::{skip, text::Text};

/// Reads a document from its beginning to its end.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// It is not what it should be, from this byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrong(pub(super) usize);

impl<'a> Scan<'a> {
    /// At the beginning.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// That it is wrong here.
    pub(super) const fn wrong(&self) -> Wrong {
        Wrong(self.at)
    }

    /// Reads an object: `field` is called behind each name and reads the value. No name of a field is
    /// written with an escape.
    pub(super) fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, &'a [u8]) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        self.entries(b'{', b'}', |scan| {
            let name = scan.string()?.bare().ok_or_else(|| scan.wrong())?;
            scan.expect(b':')?;
            field(scan, name)
        })
    }

    /// Reads an object whose names are anybody's: `field` is called with each name and its text.
    pub(super) fn pairs(&mut self, mut field: impl FnMut(Text<'a>, Text<'a>)) -> Result<(), Wrong> {
        self.entries(b'{', b'}', |scan| {
            let name = scan.text()?;
            scan.expect(b':')?;
            scan.text().map(|value| field(name, value))
        })
    }

    /// Reads a list: `entry` is called for each entry and reads it. Go writes one without entries as `null`
    /// where it does not leave it out.
    pub(super) fn array(
        &mut self,
        entry: impl FnMut(&mut Self) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        self.entries(b'[', b']', entry)
    }

    fn entries(
        &mut self,
        open: u8,
        close: u8,
        mut entry: impl FnMut(&mut Self) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        if self.word("null") {
            return Ok(());
        }
        self.expect(open)?;
        if self.take(close) {
            return Ok(());
        }
        loop {
            entry(self)?;
            if !self.take(b',') {
                return self.expect(close);
            }
        }
    }

    /// Reads a string.
    pub(super) fn text(&mut self) -> Result<Text<'a>, Wrong> {
        let string = self.string()?;
        let text = match string.bare() {
            Some(bare) => str::from_utf8(bare).ok().map(Text::from),
            None => serde_json::from_slice(string.json).ok(),
        };
        text.ok_or_else(|| self.wrong())
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(&mut self) -> Result<bool, Wrong> {
        let yes = self.word("true");
        if yes || self.word("false") { Ok(yes) } else { Err(self.wrong()) }
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Result<(), Wrong> {
        match self.next() {
            Some(b'{' | b'[') => {
                let end = skip::nested(self.rest()).ok_or_else(|| self.wrong())?;
                self.at += end;
                Ok(())
            }
            Some(b'"') => self.string().map(drop),
            _ => {
                let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                let length = self.rest().iter().take_while(|byte| plain(byte)).count();
                self.at += length;
                if length == 0 { Err(self.wrong()) } else { Ok(()) }
            }
        }
    }

    /// That nothing follows.
    pub(super) fn end(&mut self) -> Result<(), Wrong> {
        if self.next().is_none() { Ok(()) } else { Err(self.wrong()) }
    }

    fn string(&mut self) -> Result<Quoted<'a>, Wrong> {
        if self.next() != Some(b'"') {
            return Err(self.wrong());
        }
        let (start, mut plain) = (self.at, true);
        self.at += 1;
        loop {
            let stop = self.rest().iter().position(|byte| STOPS[usize::from(*byte)]);
            self.at += stop.ok_or_else(|| self.wrong())?;
            match self.rest() {
                [b'"', ..] => break,
                [b'\\', _, ..] => self.at += 2,
                _ => return Err(self.wrong()),
            }
            plain = false;
        }
        self.at += 1;
        Ok(Quoted { json: self.bytes.get(start..self.at).unwrap_or_default(), plain })
    }

    fn expect(&mut self, byte: u8) -> Result<(), Wrong> {
        if self.take(byte) { Ok(()) } else { Err(self.wrong()) }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.next() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str) -> bool {
        self.next();
        let there = self.rest().starts_with(word.as_bytes());
        self.at += if there { word.len() } else { 0 };
        there
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// What ends a string, or may not stand in it as it is.
static STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut byte = 0;
    while byte < b' ' {
        stops[byte as usize] = true;
        byte += 1;
    }
    stops[b'"' as usize] = true;
    stops[b'\\' as usize] = true;
    stops
};

/// A string.
#[derive(Debug, Clone, Copy)]
struct Quoted<'a> {
    /// With its quotes.
    json: &'a [u8],
    /// There is no escape in it.
    plain: bool,
}

impl<'a> Quoted<'a> {
    /// Without its quotes, if what it says stands there as it is.
    fn bare(&self) -> Option<&'a [u8]> {
        let Self { json: [b'"', inside @ .., b'"'], plain: true } = self else { return None };
        Some(inside)
    }
}
