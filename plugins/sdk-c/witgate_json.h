/* JSON as far as fixtures need it. Not for authors. */
#ifndef WITGATE_JSON_H
#define WITGATE_JSON_H

#include "witgate.h"

typedef enum {
  JSON_NULL,
  JSON_BOOL,
  JSON_NUMBER,
  JSON_TEXT,
  JSON_LIST,
  JSON_OBJECT
} witgate_json_kind;

typedef struct witgate_json {
  witgate_json_kind kind;
  bool truth;         /* of JSON_BOOL */
  witgate_bytes name; /* of a member of an object */
  witgate_bytes text; /* JSON_TEXT without quotes and escapes; of all others as it is written */
  struct witgate_json *items; /* of JSON_LIST and JSON_OBJECT */
  size_t count;
} witgate_json;

/* Reads a whole document; NULL, and a message with line and column, if it is none. Nesting deeper
 * than 64 is refused. */
const witgate_json *witgate_json_read(witgate_bytes text, const char **wrong);

/* A member of an object; NULL if it has none of this name, or is no object. */
const witgate_json *witgate_json_member(const witgate_json *object, const char *name);

/* A whole number in these limits. */
bool witgate_json_unsigned(const witgate_json *value, uint64_t most, uint64_t *number);
bool witgate_json_signed(const witgate_json *value, int64_t *number);

/* Bytes: a string, or {"base64": "…"}. */
bool witgate_json_bytes(const witgate_json *value, witgate_bytes *bytes);

#endif
