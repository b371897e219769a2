// Result<T>: how every folder reports what the user got wrong (model, data, options, budget).
// Our own bugs go through base/check.h instead. The text of an Error reads from cause to command:
// what, which node or file, what would be allowed, what to do.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace nibble {

// The value is the exit code of the program.
enum class ErrorKind { kInput = 1, kUsage = 2, kDoesNotFit = 3 };

struct Error {
  ErrorKind kind = ErrorKind::kInput;
  std::string message;
};

inline Error input_error(std::string message) { return {ErrorKind::kInput, std::move(message)}; }
inline Error usage_error(std::string message) { return {ErrorKind::kUsage, std::move(message)}; }
inline Error does_not_fit(std::string message) {
  return {ErrorKind::kDoesNotFit, std::move(message)};
}

// Either a value or an Error. Test with ok() before value(); value() on an error aborts.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

// Success or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace nibble

#define NIBBLE_CONCAT_INNER(a, b) a##b
#define NIBBLE_CONCAT(a, b) NIBBLE_CONCAT_INNER(a, b)

// Returns the error of a Status or Result expression from the enclosing function.
#define NIBBLE_TRY(expr)                                                                           \
  do {                                                                                             \
    if (auto nibble_status = (expr); !nibble_status.ok()) return std::move(nibble_status).error(); \
  } while (false)

// NIBBLE_ASSIGN(auto graph, read_model(path)): the value, or return with the error.
#define NIBBLE_ASSIGN(decl, expr) \
  NIBBLE_ASSIGN_INNER(NIBBLE_CONCAT(nibble_result_, __LINE__), decl, expr)
#define NIBBLE_ASSIGN_INNER(tmp, decl, expr)    \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return std::move(tmp).error(); \
  decl = std::move(tmp).value()
