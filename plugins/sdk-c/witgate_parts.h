/* What the parts of the SDK share. Not for authors. */
#ifndef WITGATE_PARTS_H
#define WITGATE_PARTS_H

#include "witgate.h"

struct witgate_manifest {
  witgate_key *keys;
  size_t count;
  const char *schema;
};

typedef struct {
  const char *key;
  bool is_named;
  witgate_bytes name;
  witgate_bytes value;
} witgate_selector;

typedef struct {
  const char *key;
  const char *reason;
} witgate_unknown;

struct witgate_report {
  witgate_selector *selectors;
  size_t selector_count;
  witgate_unknown *unknown;
  size_t unknown_count;
  uint32_t retry_ms;
  const char *reason;
};

/* One more place in a list that grows; `items` and `count` are those of the list. */
#define WITGATE_APPEND(items, count) \
  (*(((items) = witgate_grown((items), (count), sizeof *(items))), &(items)[(count)++]))

void *witgate_grown(void *items, size_t count, size_t size);

/* What stands for bytes where only a string that ends with NUL will do. */
const char *witgate_string(witgate_bytes bytes);

/* Keeps the words of the last WITGATE_IO. */
witgate_status witgate_io(witgate_bytes words);

#endif
