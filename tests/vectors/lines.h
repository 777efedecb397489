// Vector files of one case a line: a kind, then fields in hexadecimal ("-": empty) or decimal.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "tests/vectors/hex.h"

namespace vectors {

using Fields = std::vector<std::string>;

// The fields of every line of `kind`, without the kind.
inline std::vector<Fields> lines(const std::string& path, std::string_view kind) {
  std::ifstream file(path);
  std::vector<Fields> all;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != kind) continue;
    all.emplace_back();
    while (words >> word) all.back().push_back(word == "-" ? "" : word);
  }
  return all;
}

}  // namespace vectors
