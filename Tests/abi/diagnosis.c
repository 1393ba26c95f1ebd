// What is wrong with a text, mending it, making it small, looking inside.
#include "check.h"

// Says that texts with `gelu` fail, and counts how often it was asked; the third time it ends the search when told to.
struct search {
  int asked;
  bool ends;
};

static int32_t judge(void *context, const char *mil, size_t bytes) {
  struct search *search = context;
  search->asked += 1;
  if (search->ends && search->asked > 2) return -1;
  return strstr(mil, "gelu(") != NULL && strlen(mil) == bytes;
}

void test_diagnosis(void) {
  const char *text =
      "program(1.3) { func main<ios18>(tensor<fp16, [1, 4, 1, 64]> x) {\n"
      "tensor<fp16, [1, 4, 1, 64]> a = relu(x = x);\n"
      "tensor<fp16, [1, 4, 1, 64]> y = gelu(x = a); } -> (y); }";
  size_t length = strlen(text);
  char *json = (char *)"untouched";
  REFUSES(orion_check(NULL, 3, NULL, NULL, &json), ORION_ERROR_ARGUMENT, "mil: null");
  REFUSES(orion_check(text, length, NULL, "m9", &json), ORION_ERROR_ARGUMENT, "expected some of");
  REFUSES(orion_check(text, length, NULL, NULL, NULL), ORION_ERROR_ARGUMENT, "json: null");
  REFUSES(orion_fix("\xff", 1, NULL, NULL, &json), ORION_ERROR_PROGRAM, "not UTF-8");
  REFUSES(orion_shrink(text, length, NULL, NULL, &json), ORION_ERROR_ARGUMENT, "judge: null");
  REFUSES(orion_shrink("no", 2, judge, NULL, &json), ORION_ERROR_PROGRAM, "expected `program`");
  REFUSES(orion_expose(text, length, "other", NULL, &json), ORION_ERROR_PROGRAM, "\"other\"");
  REFUSES(orion_estimate(text, length, NULL, "m9", &json), ORION_ERROR_ARGUMENT, "expected some of");
  REFUSES(orion_estimate("no", 2, NULL, NULL, &json), ORION_ERROR_PROGRAM, "expected `program`");
  REFUSES(orion_estimate(text, length, NULL, NULL, NULL), ORION_ERROR_ARGUMENT, "json: null");
  CHECK(strcmp(json, "untouched") == 0);
  GIVES(orion_estimate(text, length, NULL, "m4-macos15", &json), "\"bound\": \"dispatch\"");
  GIVES(orion_check(text, length, NULL, "m4-macos15", &json), "\"line\": 3, \"column\": 33");
  GIVES(orion_check("\xff", 1, NULL, NULL, &json), "\"rule\": \"syntax\"");
  GIVES(orion_check(NULL, 0, NULL, "", &json), "\"severity\": \"error\"");
  GIVES(orion_fix(text, length, NULL, "m4-macos15", &json), "gelu(x = a, mode = y_mode)");
  GIVES(orion_expose(text, length, "main", NULL, &json), "-> (y, a)");
  GIVES(orion_expose(text, length, "main", "", &json), "-> (y)");
  struct search search = {0};
  GIVES(orion_shrink(text, length, judge, &search, &json), "= gelu(");
  CHECK(orion_shrink(text, length, judge, &search, &json) == ORION_OK);
  CHECK(strstr(json, "relu") == NULL && search.asked > 2);
  orion_text_free(json);
  search = (struct search){.ends = true};
  CHECK(orion_shrink(text, length, judge, &search, &json) == ORION_OK);
  CHECK(search.asked == 3);
  orion_text_free(json);
}
