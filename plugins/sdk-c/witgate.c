#include <string.h>

#include "witgate_parts.h"

enum { MAX_NAME = 256, MAX_VALUE = 4096 };

/* ---- Bytes and text ---- */

witgate_bytes witgate_text(const char *string) { return (witgate_bytes){string, strlen(string)}; }

bool witgate_equals(witgate_bytes bytes, const char *string) {
  size_t length = strlen(string);
  return bytes.length == length && (length == 0 || memcmp(bytes.data, string, length) == 0);
}

const char *witgate_string(witgate_bytes bytes) {
  char *string = witgate_allocate(bytes.length + 1);
  if (bytes.length > 0) memcpy(string, bytes.data, bytes.length);
  return string;
}

/* The length of the character at the start of these bytes, and which it is; 0 if it is none. */
static size_t character(witgate_bytes bytes, uint32_t *point) {
  const unsigned char *at = (const unsigned char *)bytes.data;
  if (at[0] < 0x80) {
    *point = at[0];
    return 1;
  }
  size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
  if (at[0] < 0xc2 || at[0] > 0xf4 || bytes.length < length) return 0;
  *point = at[0] & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
    *point = *point << 6 | (at[i] & 0x3f);
  }
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  bool surrogate = *point >= 0xd800 && *point <= 0xdfff;
  return *point >= least[length] && *point <= 0x10ffff && !surrogate ? length : 0;
}

/* Whether the daemon refuses it in a selector. */
static bool hides(uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x61c || point == 0x200e ||
         point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069);
}

static bool all(witgate_bytes bytes, bool showable) {
  for (size_t at = 0; at < bytes.length;) {
    uint32_t point;
    size_t length = character((witgate_bytes){bytes.data + at, bytes.length - at}, &point);
    if (length == 0 || (showable && hides(point))) return false;
    at += length;
  }
  return true;
}

bool witgate_is_utf8(witgate_bytes bytes) { return all(bytes, false); }

static bool is_showable(witgate_bytes bytes, size_t most) {
  return bytes.length > 0 && bytes.length <= most && all(bytes, true);
}

/* ---- Lists ---- */

/* Doubles the room whenever the count reaches a power of two. */
void *witgate_grown(void *items, size_t count, size_t size) {
  if ((count & (count - 1)) != 0) return items;
  char *room = witgate_allocate((count == 0 ? 1 : 2 * count) * size);
  if (count > 0) memcpy(room, items, count * size);
  return room;
}

/* ---- Manifest and report ---- */

void witgate_describe_key(witgate_manifest *manifest, witgate_key key) {
  WITGATE_APPEND(manifest->keys, manifest->count) = key;
}

void witgate_describe_settings(witgate_manifest *manifest, const char *schema) {
  manifest->schema = schema;
}

static void report(witgate_report *report, witgate_selector selector) {
  bool name_is_good = !selector.is_named || is_showable(selector.name, MAX_NAME);
  if (name_is_good && is_showable(selector.value, MAX_VALUE)) {
    WITGATE_APPEND(report->selectors, report->selector_count) = selector;
  } else {
    witgate_report_unknown(report, selector.key,
                           "its value is empty, too long, not UTF-8 or holds control characters");
  }
}

void witgate_report_value(witgate_report *to, const char *key, witgate_bytes value) {
  report(to, (witgate_selector){.key = key, .value = value});
}

void witgate_report_text(witgate_report *to, const char *key, const char *value) {
  witgate_report_value(to, key, witgate_text(value));
}

void witgate_report_number(witgate_report *to, const char *key, uint64_t value) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value > 0);
  witgate_bytes number = {digits + at, sizeof digits - at};
  witgate_report_text(to, key, witgate_string(number));
}

void witgate_report_named(witgate_report *to, const char *key, witgate_bytes name,
                          witgate_bytes value) {
  report(to, (witgate_selector){.key = key, .is_named = true, .name = name, .value = value});
}

void witgate_report_unknown(witgate_report *to, const char *key, const char *reason) {
  WITGATE_APPEND(to->unknown, to->unknown_count) = (witgate_unknown){key, reason};
}

witgate_outcome witgate_retry(witgate_report *report, uint32_t milliseconds) {
  report->retry_ms = milliseconds;
  return WITGATE_RETRY;
}

witgate_outcome witgate_unavailable(witgate_report *report, const char *reason) {
  report->reason = reason;
  return WITGATE_UNAVAILABLE;
}

witgate_outcome witgate_failed(witgate_report *report, const char *reason) {
  report->reason = reason;
  return WITGATE_FAILED;
}

/* A plugin without a function of its own takes an empty object only. */
__attribute__((weak)) const char *witgate_validate(witgate_bytes settings) {
  size_t braces = 0;
  for (size_t i = 0; i < settings.length; i++) {
    char c = settings.data[i];
    if (strchr(" \t\r\n", c) != NULL && c != '\0') continue;
    if (braces >= 2 || c != "{}"[braces]) return "this plugin has no settings";
    braces++;
  }
  return braces == 2 ? NULL : "this plugin has no settings";
}

/* ---- Facts ---- */

static const char *last_io = "";

witgate_status witgate_io(witgate_bytes words) {
  last_io = witgate_string(words);
  return WITGATE_IO;
}

const char *witgate_reason(witgate_status status) {
  switch (status) {
    case WITGATE_OK: return "it is there";
    case WITGATE_ABSENT: return "it is not there";
    case WITGATE_GONE: return "the process has exited";
    case WITGATE_DENIED: return "the kernel does not let the daemon read it";
    case WITGATE_UNSUPPORTED: return "this host does not have it";
    case WITGATE_TOO_LARGE: return "it is larger than the limit";
    case WITGATE_IO: return last_io;
  }
  return "";
}
