// policy::Matrix as one page for paper (A4 landscape): who may reach whom, as a picture, as grids and as a list, and
// that everything else is closed. Readable in black and white and by a screen reader; nothing of elsewhere, no script.
#pragma once

#include <string>

#include "gateway/router/page.h"
#include "policy/matrix.h"

namespace gateway::router {

struct MatrixMade {
  std::string gateway;               // its name
  config::value::WallTime now;       // when the page is made; what it says holds at matrix.at
  policy::MatrixQuestion selection;  // as it was asked for
};

// The error: a fault of a template.
[[nodiscard]] config::value::Result<std::string, std::string> matrix_page(const policy::Matrix& matrix,
                                                                          Language language, const MatrixMade& made);

}  // namespace gateway::router
