#include "os_release.h"

#include <stddef.h>
#include <string.h>

static witgate_bytes slice(witgate_bytes bytes, size_t from, size_t to) {
  return (witgate_bytes){bytes.data + from, to - from};
}

/* Where a character is first, or the length. */
static size_t find(witgate_bytes bytes, char c) {
  size_t at = 0;
  while (at < bytes.length && bytes.data[at] != c) at++;
  return at;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static witgate_bytes trimmed(witgate_bytes bytes) {
  size_t from = 0, to = bytes.length;
  while (from < to && is_blank(bytes.data[from])) from++;
  while (to > from && is_blank(bytes.data[to - 1])) to--;
  return slice(bytes, from, to);
}

static witgate_bytes unescaped(witgate_bytes text) {
  char *to = witgate_allocate(text.length);
  size_t length = 0;
  for (size_t i = 0; i < text.length; i++) {
    bool escape = text.data[i] == '\\' && i + 1 < text.length;
    if (escape && memchr("\"\\$`", text.data[i + 1], 4) != NULL) i++;
    to[length++] = text.data[i];
  }
  return (witgate_bytes){to, length};
}

static bool is_within(witgate_bytes value, char quote) {
  return value.length >= 2 && value.data[0] == quote && value.data[value.length - 1] == quote;
}

witgate_bytes os_release_unquoted(witgate_bytes value) {
  if (is_within(value, '"')) return unescaped(slice(value, 1, value.length - 1));
  if (is_within(value, '\'')) return slice(value, 1, value.length - 1);
  return value;
}

static void take_line(os_release *release, witgate_bytes line) {
  size_t equals = find(line, '=');
  if (equals == line.length || line.data[0] == '#' || !witgate_is_utf8(line)) return;
  witgate_bytes key = slice(line, 0, equals);
  witgate_bytes value = os_release_unquoted(trimmed(slice(line, equals + 1, line.length)));
  if (witgate_equals(key, "ID")) release->id = value;
  if (witgate_equals(key, "VERSION_ID")) release->version = (witgate_optional){true, value};
  if (witgate_equals(key, "VARIANT_ID")) release->variant = (witgate_optional){true, value};
}

os_release os_release_parse(witgate_bytes content) {
  os_release release = {.id = witgate_text("linux")};
  for (size_t from = 0; from < content.length;) {
    witgate_bytes rest = slice(content, from, content.length);
    size_t length = find(rest, '\n');
    take_line(&release, slice(rest, 0, length));
    from += length + 1;
  }
  return release;
}
