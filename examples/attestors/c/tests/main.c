/* The tests, natively: values that need no process, and every fixture. */
#include <stdio.h>

#include "os_release.h"

static int check_quotes(void) {
  static const struct {
    const char *written, *value;
  } cases[] = {{"plain", "plain"},     {"\"a b\"", "a b"}, {"'a \\ b'", "a \\ b"},
               {"\"\\\"\\$\"", "\"$"}, {"\"\\n\"", "\\n"}, {"\"", "\""},
               {"\"a'", "\"a'"},       {"''", ""}};
  int wrong = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    witgate_bytes found = os_release_unquoted(witgate_text(cases[i].written));
    if (witgate_equals(found, cases[i].value)) continue;
    fprintf(stderr, "%s became %.*s\n", cases[i].written, (int)found.length, found.data);
    wrong++;
  }
  return wrong;
}

int main(void) {
  int wrong = check_quotes();
  return wrong + witgate_check_fixtures("fixtures") == 0 ? 0 : 1;
}
