/* The call that is tested natively. Not for authors. */
#ifndef WITGATE_NATIVE_H
#define WITGATE_NATIVE_H

#include "witgate_json.h"
#include "witgate_parts.h"

typedef struct {
  witgate_scope scope;
  const char *key;
  witgate_bytes value;
} witgate_cached;

typedef struct {
  const char *file; /* the fixture */
  const witgate_json *facts;
  const witgate_json *wanted; /* a list; all keys, if NULL */
  witgate_bytes settings;
  bool gone; /* a fact said that the process has exited */
  witgate_cached *cached;
  size_t cached_count;
  const char **log;
  size_t log_count;
} witgate_call;

extern witgate_call witgate_now;

/* Ends what lives until the call ends. */
void witgate_free_everything(void);

#endif
