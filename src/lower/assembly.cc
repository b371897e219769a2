#include "lower/assembly.h"

#include "base/text.h"

namespace nibble {
namespace {

std::string parameter_text(const std::vector<std::string>& parameters, std::string_view suffix) {
  std::string text;
  for (const std::string& parameter : parameters)
    text += fmt::format("{}{}{}", text.empty() ? "" : ",\n    ", parameter, suffix);
  return text;
}

std::string body_text(const Assembly& body) {
  std::string text;
  for (const std::string& line : body.lines()) {
    std::string escaped;
    for (char c : line) escaped += c == '\t' ? std::string("\\t") : std::string(1, c);
    text += fmt::format("      \"{}\\n\"\n", escaped);
  }
  return text;
}

}  // namespace

size_t Assembly::count() const {
  size_t instructions = 0;
  for (const std::string& line : lines_) instructions += line.starts_with("\t");
  return instructions;
}

std::string function_text(const CFunction& function) {
  return fmt::format(
      R"(/* {comment} */
#if {condition}
NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void {name}(
    {unused}) {{
  __asm__ volatile(
{syntax}{body}  );
}}
NIBBLE_ASSEMBLY_END
#else
static void {name}(
    {used}) {{
{plain}}}
#endif
)",
      fmt::arg("syntax", function.arm ? "      \".syntax unified\\n\"\n" : ""),
      fmt::arg("comment", function.comment), fmt::arg("condition", function.condition),
      fmt::arg("name", function.name),
      fmt::arg("unused", parameter_text(function.parameters, " NIBBLE_UNUSED")),
      fmt::arg("used", parameter_text(function.parameters, "")),
      fmt::arg("body", body_text(function.body)), fmt::arg("plain", function.plain_body));
}

std::string defined_once(std::string_view name, std::string_view text) {
  constexpr size_t kPrefix = sizeof("nibble_") - 1;
  return fmt::format("#ifndef NIBBLE_HAS_{0}\n#define NIBBLE_HAS_{0}\n{1}#endif\n",
                     name.substr(kPrefix), text);
}

std::string guarded_text(const CFunction& function) {
  return defined_once(function.name, function_text(function));
}

}  // namespace nibble
