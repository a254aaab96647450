#include "witgate_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "witgate_parts.h"

enum { MAX_DEPTH = 64 };

typedef struct {
  witgate_bytes text;
  size_t at;
  int depth;
  const char *wrong;
} reader;

/* ---- Single characters ---- */

static int next(const reader *in) {
  return in->at < in->text.length ? (unsigned char)in->text.data[in->at] : -1;
}

static bool fail(reader *in, const char *wrong) {
  if (in->wrong == NULL) in->wrong = wrong;
  return false;
}

static void skip_blanks(reader *in) {
  while (next(in) == ' ' || next(in) == '\t' || next(in) == '\n' || next(in) == '\r') in->at++;
}

static bool take(reader *in, char c) {
  if (next(in) != c) return false;
  in->at++;
  return true;
}

static bool take_word(reader *in, const char *word) {
  size_t length = strlen(word);
  if (in->text.length - in->at < length || memcmp(in->text.data + in->at, word, length) != 0) {
    return fail(in, "a value is expected here");
  }
  in->at += length;
  return true;
}

/* ---- Strings ---- */

static bool hex4(reader *in, uint32_t *point) {
  *point = 0;
  for (int i = 0; i < 4; i++) {
    int c = next(in);
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return fail(in, "four hexadecimal digits are expected here");
    *point = *point << 4 | (uint32_t)digit;
    in->at++;
  }
  return true;
}

static bool escaped_point(reader *in, uint32_t *point) {
  if (!hex4(in, point)) return false;
  if (*point >= 0xd800 && *point < 0xdc00) {
    uint32_t low;
    if (!take(in, '\\') || !take(in, 'u') || !hex4(in, &low) || low < 0xdc00 || low > 0xdfff) {
      return fail(in, "half of a surrogate pair");
    }
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
  } else if (*point >= 0xdc00 && *point <= 0xdfff) {
    return fail(in, "half of a surrogate pair");
  }
  return true;
}

static char *put_point(char *to, uint32_t point) {
  if (point < 0x80) {
    *to++ = (char)point;
  } else if (point < 0x800) {
    *to++ = (char)(0xc0 | point >> 6);
    *to++ = (char)(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    *to++ = (char)(0xe0 | point >> 12);
    *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    *to++ = (char)(0x80 | (point & 0x3f));
  } else {
    *to++ = (char)(0xf0 | point >> 18);
    *to++ = (char)(0x80 | (point >> 12 & 0x3f));
    *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    *to++ = (char)(0x80 | (point & 0x3f));
  }
  return to;
}

/* Takes one escape behind its backslash, and writes what it stands for. */
static bool take_escape(reader *in, char **to) {
  static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  int c = next(in);
  in->at++;
  if (c == 'u') {
    uint32_t point;
    if (!escaped_point(in, &point)) return false;
    *to = put_point(*to, point);
    return true;
  }
  const char *which = c > 0 ? strchr(written, c) : NULL;
  if (which == NULL) return fail(in, "no such escape");
  *(*to)++ = meant[which - written];
  return true;
}

/* Takes a string behind its opening quote. What it stands for is never longer than it is. */
static bool take_string(reader *in, witgate_bytes *string) {
  size_t end = in->at;
  while (end < in->text.length && in->text.data[end] != '"')
    end += in->text.data[end] == '\\' ? 2 : 1;
  if (end >= in->text.length) return fail(in, "a string without an end");
  char *start = witgate_allocate(end - in->at), *to = start;
  while (in->at < end) {
    unsigned char c = (unsigned char)in->text.data[in->at++];
    if (c < 0x20) return fail(in, "a control character in a string");
    if (c != '\\') {
      *to++ = (char)c;
    } else if (!take_escape(in, &to)) {
      return false;
    }
  }
  *string = (witgate_bytes){start, (size_t)(to - start)};
  return take(in, '"');
}

/* ---- Values ---- */

static bool take_value(reader *in, witgate_json *value);

static bool take_number(reader *in) {
  size_t start = in->at;
  while (next(in) >= 0 && strchr("+-.0123456789eE", next(in)) != NULL && next(in) != 0) in->at++;
  return in->at > start ? true : fail(in, "a value is expected here");
}

static bool take_name(reader *in, witgate_json *member) {
  skip_blanks(in);
  if (!take(in, '"')) return fail(in, "a name in quotes is expected here");
  if (!take_string(in, &member->name)) return false;
  skip_blanks(in);
  return take(in, ':') ? true : fail(in, "a colon is expected here");
}

/* Takes the items of a list or the members of an object, up to and with `end`. */
static bool take_items(reader *in, witgate_json *value, char end) {
  if (++in->depth > MAX_DEPTH) return fail(in, "nested too deeply");
  skip_blanks(in);
  bool more = !take(in, end);
  while (more) {
    witgate_json item = {0};
    if (value->kind == JSON_OBJECT && !take_name(in, &item)) return false;
    if (!take_value(in, &item)) return false;
    WITGATE_APPEND(value->items, value->count) = item;
    skip_blanks(in);
    more = take(in, ',');
    if (!more && !take(in, end)) return fail(in, "a comma or the end is expected here");
  }
  in->depth--;
  return true;
}

static bool take_any(reader *in, witgate_json *value) {
  switch (next(in)) {
    case '{': value->kind = JSON_OBJECT; return in->at++, take_items(in, value, '}');
    case '[': value->kind = JSON_LIST; return in->at++, take_items(in, value, ']');
    case '"': value->kind = JSON_TEXT; return in->at++, take_string(in, &value->text);
    case 'n': value->kind = JSON_NULL; return take_word(in, "null");
    case 't':
      value->kind = JSON_BOOL;
      value->truth = true;
      return take_word(in, "true");
    case 'f': value->kind = JSON_BOOL; return take_word(in, "false");
    default: value->kind = JSON_NUMBER; return take_number(in);
  }
}

static bool take_value(reader *in, witgate_json *value) {
  skip_blanks(in);
  size_t start = in->at;
  if (!take_any(in, value)) return false;
  if (value->kind != JSON_TEXT) {
    value->text = (witgate_bytes){in->text.data + start, in->at - start};
  }
  return true;
}

static const char *message(const reader *in) {
  size_t line = 1, column = 1;
  for (size_t i = 0; i < in->at && i < in->text.length; i++) {
    column++;
    if (in->text.data[i] == '\n') line++, column = 1;
  }
  char *text = witgate_allocate(128);
  snprintf(text, 128, "%s at line %zu column %zu", in->wrong, line, column);
  return text;
}

const witgate_json *witgate_json_read(witgate_bytes text, const char **wrong) {
  reader in = {.text = text};
  witgate_json *value = witgate_allocate(sizeof *value);
  bool read = witgate_is_utf8(text) ? take_value(&in, value) : fail(&in, "not UTF-8");
  skip_blanks(&in);
  if (read && in.at < text.length) read = fail(&in, "nothing is expected here");
  if (!read) *wrong = message(&in);
  return read ? value : NULL;
}

/* ---- What values mean ---- */

const witgate_json *witgate_json_member(const witgate_json *object, const char *name) {
  if (object == NULL || object->kind != JSON_OBJECT) return NULL;
  for (size_t i = 0; i < object->count; i++) {
    if (witgate_equals(object->items[i].name, name)) return &object->items[i];
  }
  return NULL;
}

static bool is_whole(const witgate_json *value, bool may_be_negative) {
  if (value->kind != JSON_NUMBER || value->text.length > 20) return false;
  size_t at = may_be_negative && value->text.data[0] == '-' ? 1 : 0;
  if (at == value->text.length) return false;
  for (; at < value->text.length; at++) {
    if (value->text.data[at] < '0' || value->text.data[at] > '9') return false;
  }
  return true;
}

bool witgate_json_unsigned(const witgate_json *value, uint64_t most, uint64_t *number) {
  if (!is_whole(value, false)) return false;
  errno = 0;
  *number = strtoull(witgate_string(value->text), NULL, 10);
  return errno == 0 && *number <= most;
}

bool witgate_json_signed(const witgate_json *value, int64_t *number) {
  if (!is_whole(value, true)) return false;
  errno = 0;
  *number = strtoll(witgate_string(value->text), NULL, 10);
  return errno == 0;
}

static int base64_digit(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *which = c == '\0' ? NULL : strchr(digits, c);
  return which == NULL ? -1 : (int)(which - digits);
}

static bool from_base64(witgate_bytes text, witgate_bytes *bytes) {
  char *start = witgate_allocate(text.length), *to = start;
  uint32_t bits = 0;
  int count = 0;
  size_t length = text.length;
  while (length > 0 && text.length - length < 2 && text.data[length - 1] == '=') length--;
  for (size_t i = 0; i < length; i++) {
    int digit = base64_digit(text.data[i]);
    if (digit < 0) return false;
    bits = bits << 6 | (uint32_t)digit;
    count += 6;
    if (count >= 8) *to++ = (char)(bits >> (count -= 8));
  }
  *bytes = (witgate_bytes){start, (size_t)(to - start)};
  return text.length % 4 == 0 && (bits & ((1u << count) - 1)) == 0;
}

bool witgate_json_bytes(const witgate_json *value, witgate_bytes *bytes) {
  const witgate_json *encoded = witgate_json_member(value, "base64");
  if (encoded != NULL) return encoded->kind == JSON_TEXT && from_base64(encoded->text, bytes);
  *bytes = value->text;
  return value->kind == JSON_TEXT;
}
