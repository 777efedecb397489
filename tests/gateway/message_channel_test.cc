// The border between our processes: whole messages come through, a broken form closes the channel.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "gateway/os/message_channel.h"

namespace gateway::os {
namespace {

using core::MessageType;

struct Ends {
  MessageChannel one, other;
};

Ends connected() {
  auto pair = MessageChannel::pair();
  REQUIRE(pair.has_value());
  return {MessageChannel(std::move(pair->first)), MessageChannel(std::move(pair->second))};
}

std::vector<Message> exchange(Ends& ends) {
  std::vector<Message> all;
  for (int i = 0; i < 10000 && (i == 0 || ends.one.wants_write()); ++i) {
    REQUIRE(ends.one.flush().has_value());
    auto received = ends.other.receive();
    REQUIRE(received.has_value());
    std::ranges::move(*received, std::back_inserter(all));
  }
  return all;
}

// A frame as the wire has it.
struct RawFrame {
  std::uint32_t magic = 0x316b6573;
  std::uint16_t version = core::kMessageVersion;
  std::uint16_t type = static_cast<std::uint16_t>(MessageType::kAlive);
  std::uint32_t flags = 1;
  std::uint32_t number = 1;
};

OsResult<std::vector<Message>> receive_raw(std::span<const std::uint8_t> octets) {
  auto pair = MessageChannel::pair();
  MessageChannel channel(std::move(pair->second));
  REQUIRE(send(pair->first.number(), octets.data(), octets.size(), 0) == static_cast<ssize_t>(octets.size()));
  auto received = channel.receive();
  CHECK(channel.open() == received.has_value());
  return received;
}

OsResult<std::vector<Message>> receive_raw(const RawFrame& frame) {
  return receive_raw({reinterpret_cast<const std::uint8_t*>(&frame), sizeof frame});
}

TEST_CASE("message channel: any size comes through whole and in order") {
  auto ends = connected();
  const std::size_t size = GENERATE(0u, 1u, 32751u, 32752u, 32753u, 1000000u);
  std::vector<std::uint8_t> payload(size);
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::uint8_t>(i * 7);
  REQUIRE(ends.one.send_octets(MessageType::kApplyPlan, payload).has_value());
  REQUIRE(ends.one.send(MessageType::kAlive, core::Alive{9}).has_value());
  const auto messages = exchange(ends);
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].type == MessageType::kApplyPlan);
  CHECK(std::ranges::equal(messages[0].payload, payload));
  CHECK(core::decode<core::Alive>(messages[1].payload)->count == 9);
}

TEST_CASE("message channel: descriptors arrive with their message, duplicated and close-on-exec") {
  auto ends = connected();
  std::array<int, 2> pipe_ends{};
  REQUIRE(pipe2(pipe_ends.data(), O_CLOEXEC) == 0);
  FileDescriptor reader(pipe_ends[0]), writer(pipe_ends[1]);
  const std::array numbers{writer.number()};
  std::vector<std::uint8_t> payload(100000);
  REQUIRE(ends.one.send_octets(MessageType::kDescriptors, payload, numbers).has_value());
  auto messages = exchange(ends);
  REQUIRE(messages.size() == 1);
  REQUIRE(messages[0].descriptors.size() == 1);
  CHECK((fcntl(messages[0].descriptors[0].number(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(fcntl(writer.number(), F_GETFD) >= 0);
  CHECK(write(messages[0].descriptors[0].number(), "x", 1) == 1);
}

TEST_CASE("message channel: a good raw frame is taken") {
  CHECK(receive_raw(RawFrame{}).has_value());
}

TEST_CASE("message channel: a broken form closes it") {
  RawFrame frame;
  SECTION("magic") {
    frame.magic ^= 1;
  }
  SECTION("version") {
    frame.version += 1;
  }
  SECTION("flags") {
    frame.flags = 2;
  }
  SECTION("order") {
    frame.number = 2;
  }
  SECTION("an empty frame that is not the last") {
    frame.flags = 0;
  }
  CHECK_FALSE(receive_raw(frame).has_value());
}

TEST_CASE("message channel: a frame that is too short or too long closes it") {
  const std::size_t size = GENERATE(1u, 15u, 32 * 1024 + 1u);
  std::vector<std::uint8_t> octets(size);
  const RawFrame frame;
  std::memcpy(octets.data(), &frame, std::min(size, sizeof frame));
  CHECK_FALSE(receive_raw(octets).has_value());
}

// What a channel says of frames sent one after the other by a process that keeps to no rule.
OsResult<std::size_t> received_of(std::size_t frames, auto send_frame) {
  auto pair = MessageChannel::pair();
  MessageChannel channel(std::move(pair->second));
  std::size_t messages = 0;
  for (std::size_t i = 0; i < frames; ++i) {
    REQUIRE(send_frame(pair->first.number(), i));
    auto received = channel.receive();
    CHECK(channel.open() == received.has_value());
    if (!received) return std::unexpected(received.error());
    messages += received->size();
  }
  return messages;
}

TEST_CASE("message channel: a message that grows beyond 64 MiB closes it") {
  constexpr std::size_t kPayload = 32 * 1024 - 16, kMost = (64u << 20) / kPayload;
  std::vector<std::uint8_t> octets(32 * 1024);
  const auto send_frame = [&](std::size_t last) {
    return [&octets, last](int socket, std::size_t i) {
      RawFrame frame;
      frame.flags = i == last ? 1 : 0;
      std::memcpy(octets.data(), &frame, sizeof frame);
      return send(socket, octets.data(), octets.size(), 0) == static_cast<ssize_t>(octets.size());
    };
  };
  CHECK(received_of(kMost, send_frame(kMost - 1)) == 1);
  const auto refused = received_of(kMost + 1, send_frame(kMost));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what == "message is too long");
}

TEST_CASE("message channel: descriptors on a later frame, or another type there, close it") {
  const auto frames = [](bool late_descriptor, bool other_type) {
    return received_of(2, [=](int socket, std::size_t i) {
      std::array<std::uint8_t, sizeof(RawFrame) + 1> octets{};
      RawFrame frame;
      frame.flags = static_cast<std::uint32_t>(i);
      if (other_type) frame.type = static_cast<std::uint16_t>(frame.type + i);
      std::memcpy(octets.data(), &frame, sizeof frame);
      iovec piece{octets.data(), octets.size()};
      alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
      msghdr message{};
      message.msg_iov = &piece, message.msg_iovlen = 1;
      if (late_descriptor && i == 1) {
        message.msg_control = control.data(), message.msg_controllen = control.size();
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET, rights->cmsg_type = SCM_RIGHTS, rights->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(rights), &socket, sizeof socket);
      }
      return sendmsg(socket, &message, 0) == static_cast<ssize_t>(octets.size());
    });
  };
  CHECK(frames(false, false) == 1);
  CHECK_FALSE(frames(true, false));
  CHECK_FALSE(frames(false, true));
}

TEST_CASE("message channel: what came whole before the end is delivered first") {
  auto ends = connected();
  REQUIRE(ends.one.send(MessageType::kAlive, core::Alive{1}).has_value());
  ends.one.close();
  CHECK(ends.other.receive()->size() == 1);
  CHECK_FALSE(ends.other.open());
  CHECK_FALSE(ends.other.receive().has_value());
  CHECK_FALSE(ends.other.send(MessageType::kAlive, core::Alive{1}).has_value());
}

// Several processes share one loop: none may keep it by talking without end.
TEST_CASE("message channel: a peer that talks without end is heard in turns") {
  auto ends = connected();
  constexpr std::size_t kMany = 3 * MessageChannel::kMostFramesAtOnce + 5;
  for (std::uint64_t i = 0; i < kMany; ++i) REQUIRE(ends.one.send(MessageType::kAlive, core::Alive{i}).has_value());
  std::uint64_t heard = 0;
  for (int turn = 0; turn < 4; ++turn) {
    pollfd waiting{ends.other.descriptor(), POLLIN, 0};
    REQUIRE(poll(&waiting, 1, 0) == 1);  // what was left is not forgotten
    REQUIRE(ends.one.flush().has_value());
    auto received = ends.other.receive();
    REQUIRE(received.has_value());
    CHECK(received->size() <= MessageChannel::kMostFramesAtOnce);
    for (const auto& message : *received) CHECK(core::decode<core::Alive>(message.payload)->count == heard++);
  }
  CHECK(heard == kMany);
}

TEST_CASE("message channel: more than 64 MiB or 64 descriptors is refused before it is sent") {
  auto ends = connected();
  CHECK_FALSE(ends.one.send_octets(MessageType::kAlive, std::vector<std::uint8_t>((64u << 20) + 1)).has_value());
  CHECK_FALSE(ends.one.send_octets(MessageType::kAlive, {}, std::vector<int>(65, 0)).has_value());
  CHECK(ends.one.open());
}

}  // namespace
}  // namespace gateway::os
