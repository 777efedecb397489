// What picture and grids of a matrix have in common: the ends of an opening, and the numbers that lead to the list.
#pragma once

#include <string>
#include <vector>

#include "gateway/router/page.h"
#include "policy/matrix.h"

namespace gateway::router {

inline constexpr std::size_t kMostGridEnds = 24;     // of facilities and of services: what fits the paper
inline constexpr std::size_t kMostPictureEnds = 32;  // in one column

[[nodiscard]] const policy::MatrixEnd& from_end(const policy::Matrix& matrix, const policy::Opening& opening);
[[nodiscard]] const policy::MatrixEnd& to_end(const policy::Matrix& matrix, const policy::Opening& opening);
// "函館総合病院 (hakodate)", or the name alone.
[[nodiscard]] std::string end_text(const policy::MatrixEnd& end);
// "tcp/443, icmp".
[[nodiscard]] std::string ports_text(const policy::Opening& opening);

// All openings from one end to another; `numbers` count in the list, from 1.
struct Arrow {
  policy::PermissionKind kind = policy::PermissionKind::kService;
  std::size_t from = 0, to = 0;
  std::vector<std::size_t> numbers;
  [[nodiscard]] std::string text() const;  // "1, 4"
};
[[nodiscard]] std::vector<Arrow> arrows_of(const policy::Matrix& matrix);

// One table, or nothing when there are no rows or no columns.
[[nodiscard]] std::string grid(const policy::Matrix& matrix, policy::PermissionKind kind, Language language);
[[nodiscard]] bool fits_grid(const policy::Matrix& matrix);

// Inline SVG with title and desc; empty when too many ends take part.
[[nodiscard]] std::string picture(const policy::Matrix& matrix, Language language);

}  // namespace gateway::router
