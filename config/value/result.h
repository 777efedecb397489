// Errors are values: Result<T, E> and the TRY macro that hands an error upward.
// Remote input and files can only ever produce a returned error, never an abort (reliability rule S3).
#pragma once

#include <expected>
#include <utility>

namespace config::value {

template <class T, class E>
using Result = std::expected<T, E>;

}  // namespace config::value

// The value of `expression`, or return its error from the enclosing function.
#define TRY(expression)                                                     \
  ({                                                                        \
    auto try_result = (expression);                                         \
    if (!try_result) return std::unexpected(std::move(try_result).error()); \
    *std::move(try_result);                                                 \
  })
