// Arithmetic of RFC 4303 2.
#include "tunnel/esp/sa.h"

#include <algorithm>

#include "tunnel/wire/writer.h"

namespace tunnel::esp {
namespace {

std::size_t around_text(const crypto::CipherSuite& suite) {
  return text_offset(suite) + crypto::tag_size(suite);
}

}  // namespace

std::size_t text_offset(const crypto::CipherSuite& suite) {
  return kHeaderSize + crypto::explicit_iv_size(suite);
}

std::size_t alignment(const crypto::CipherSuite& suite) {
  return std::max<std::size_t>(4, crypto::block_size(suite));
}

std::size_t sealed_size(const crypto::CipherSuite& suite, std::size_t inner) {
  const std::size_t unit = alignment(suite);
  return around_text(suite) + (inner + kTrailerSize + unit - 1) / unit * unit;
}

std::size_t largest_inner(const crypto::CipherSuite& suite, std::size_t room) {
  if (room < around_text(suite)) return 0;
  const std::size_t unit = alignment(suite), text = (room - around_text(suite)) / unit * unit;
  return text < kTrailerSize ? 0 : text - kTrailerSize;
}

AssociatedData::AssociatedData(const crypto::CipherSuite& suite, wire::ConstBytes header,
                               std::optional<std::uint32_t> high) {
  wire::Writer writer(octets_);
  writer.octets(header.first(4));
  const bool combined = suite.integrity == crypto::Integrity::kNone;
  if (high && combined) writer.u32_be(*high);
  writer.octets(header.subspan(4, 4));
  if (high && !combined) writer.u32_be(*high);
  before_ = combined ? writer.size() : kHeaderSize;
  after_ = writer.size() - before_;
}

}  // namespace tunnel::esp
