// What is put into the page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/report.h"

namespace nibble {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

TEST(Page, HoldsTheDataWithoutATagOrWhiteSpace) {
  const Json document = {{"model", "</script><b>"}, {"list", {1, 2}}};
  Result<std::string> page = fill_page("<p>@NIBBLE_REPORT@</p>", document, "page");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(*page, R"(<p>{"model":"\u003c/script>\u003cb>","list":[1,2]}</p>)");
  // What a reader makes of it is what was written.
  EXPECT_EQ(Json::parse(page->substr(3, page->size() - 7)), document);
}

TEST(Page, NamesThatAreNoTextAreReplaced) {
  Result<std::string> page = fill_page("@NIBBLE_REPORT@", {{"model", "a\xff"}}, "page");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(Json::parse(*page)["model"], "a\uFFFD");
}

// Data may hold the mark themselves: only the page's own counts.
TEST(Page, OneMarkIsNeeded) {
  for (const char* text : {"<p></p>", "@NIBBLE_REPORT@ @NIBBLE_REPORT@"})
    EXPECT_THAT(fill_page(text, {}, "page.html").error().message,
                HasSubstr("'page.html' is no page for reports"));
  EXPECT_TRUE(fill_page("@NIBBLE_REPORT@", {{"model", "@NIBBLE_REPORT@"}}, "page").ok());
}

TEST(Page, PairHasNamesAndReports) {
  EXPECT_EQ(pair_reports({"out/a", "out/b"}, {Json{{"model", "a"}}, Json{{"model", "b"}}}),
            Json::parse(R"({"format": "nibble reports 1", "names": ["out/a", "out/b"],
                            "reports": [{"model": "a"}, {"model": "b"}]})"));
}

}  // namespace
}  // namespace nibble
