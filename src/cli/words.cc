// The words of a command line, looked at before the parser sees them: what a person meant is
// clearer from the words than from the state in which a parser gives up.
#include <algorithm>
#include <cctype>
#include <filesystem>

#include "base/text.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

// "--target", "-o" ...
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  std::string nearest = nearest_word(word, known);
  return nearest.empty() ? "" : fmt::format(", did you mean '{}'?", nearest);
}

std::string name_of(const std::string& word) { return word.substr(0, word.find('=')); }

// A number may begin with a minus.
bool is_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && word != "--" &&
         !std::isdigit(static_cast<unsigned char>(word[1])) && word[1] != '.';
}

// An option before the verb that nibble itself does not have: misspelt, or one of the verb's.
Status check_before_verb(const CLI::App& app, const std::string& word) {
  const std::string name = name_of(word);
  if (name == "--" || app.get_option_no_throw(name)) return {};
  const std::vector<std::string> own = option_names(app);
  for (const CLI::App* verb : app.get_subcommands({}))
    if (verb->get_option_no_throw(name))
      return usage_error(fmt::format("{} goes behind the verb: nibble VERB ... {}", name, name));
  return usage_error(fmt::format("unknown option '{}'{}; known before the verb: {}", name,
                                 suggestion(name, own), join(own, " ")));
}

Error unknown_option(const CLI::App& app, const CLI::App& verb, const std::string& name) {
  if (app.get_option_no_throw(name))
    return usage_error(
        fmt::format("{} goes before the verb: nibble {} ... {} ...", name, name, verb.get_name()));
  return usage_error(fmt::format("unknown option '{}'{}; `nibble {} --help` explains the options",
                                 name, suggestion(name, option_names(verb)), verb.get_name()));
}

}  // namespace

Status check_beginning(const CLI::App& app, std::span<const std::string> words) {
  const size_t position = verb_position(app, words);
  for (size_t i = 0; i < position; ++i)
    if (words[i].starts_with("-")) NIBBLE_TRY(check_before_verb(app, words[i]));
  if (position == words.size() || find_verb(app, words[position])) return {};
  const std::vector<std::string> verbs = verb_names(app);
  return usage_error(fmt::format("unknown verb '{}'{}; known: {}; `nibble --help` explains them",
                                 words[position], suggestion(words[position], verbs),
                                 join(verbs, " ")));
}

Status check_options(const CLI::App& app, std::span<const std::string> words) {
  const size_t position = verb_position(app, words);
  if (position == words.size()) return {};
  const CLI::App& verb = *find_verb(app, words[position]);
  for (size_t i = position + 1; i < words.size() && words[i] != "--"; ++i) {
    if (!is_option(words[i])) continue;
    const std::string name = name_of(words[i]);
    const CLI::Option* option = verb.get_option_no_throw(name);
    // "-oout" is "-o out".
    const bool joined = !option && words[i][1] != '-' && words[i].size() > 2 &&
                        verb.get_option_no_throw(words[i].substr(0, 2));
    if (joined) continue;
    if (!option) return unknown_option(app, verb, name);
    if (option->get_items_expected_max() == 0 || name != words[i]) continue;
    const bool has_value =
        i + 1 < words.size() &&
        !(is_option(words[i + 1]) && verb.get_option_no_throw(name_of(words[i + 1])));
    if (!has_value)
      return usage_error(
          fmt::format("{} needs a value: {} {}", name, name,
                      option->get_type_name().empty() ? "VALUE" : option->get_type_name()));
    ++i;
  }
  return {};
}

Error wrong_words(const CLI::App& app, const std::string& who, const CLI::ParseError& error,
                  const CommandLine& line) {
  if (app.get_subcommands().empty() && error.get_name() == "RequiredError")
    return usage_error("a verb is missing; known: " + join(verb_names(app), " "));
  const std::string config =
      line.config.empty() ? "" : " (some of the options are in " + line.config + ")";
  return usage_error(
      fmt::format("{}{}; `{} --help` explains the options", error.what(), config, who));
}

}  // namespace nibble
