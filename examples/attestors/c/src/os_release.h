#ifndef OS_RELEASE_H
#define OS_RELEASE_H

#include "witgate.h"

/* What os-release(5) says about a system, as far as it matters here. */
typedef struct {
  witgate_bytes id;
  witgate_optional version;
  witgate_optional variant;
} os_release;

/* Reads the content of the file. A line that is no assignment, or not UTF-8, is skipped; the last
 * of several with the same key wins. */
os_release os_release_parse(witgate_bytes content);

/* A value without its quotes. In double quotes a backslash makes the next character an ordinary
 * one; in single quotes everything is ordinary. */
witgate_bytes os_release_unquoted(witgate_bytes value);

#endif
