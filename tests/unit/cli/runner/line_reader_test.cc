#include "cli/local/line_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

namespace pilotlight::local {
namespace {

class LineReaderTest : public ::testing::Test {
 protected:
  LineReaderTest() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    write_ = net::Fd(ends[1]);
    reader_ = std::make_unique<LineReader>(loop_, net::Fd(ends[0]), [this](std::string_view line) {
      lines_.emplace_back(line);
      if (line == "end") loop_.stop();
    });
  }
  /// Writes from another thread, for a pipe holds only 64 KiB; returns when the line "end" has come.
  void send(const std::string& data) {
    std::thread writer([&] {
      for (std::size_t sent = 0; sent < data.size();) {
        const ssize_t part = write(write_.get(), data.data() + sent, data.size() - sent);
        ASSERT_GT(part, 0);
        sent += static_cast<std::size_t>(part);
      }
    });
    loop_.run();
    writer.join();
  }

  net::Loop loop_;
  net::Fd write_;
  std::unique_ptr<LineReader> reader_;
  std::vector<std::string> lines_;
};

TEST_F(LineReaderTest, SplitsLines) {
  send("one\n\ntwo\nend\n");
  EXPECT_EQ(lines_, (std::vector<std::string>{"one", "", "two", "end"}));
}

TEST_F(LineReaderTest, CutsOverlongLinesAndLosesNothing) {
  const std::string exact(LineReader::kMaxLine, 'a'), longer(LineReader::kMaxLine + 1, 'b');
  send(exact + "\n" + longer + "\nend\n");
  ASSERT_EQ(lines_.size(), 4U);
  EXPECT_EQ(lines_[0], exact);
  EXPECT_EQ(lines_[1], longer.substr(1));
  EXPECT_EQ(lines_[2], "b");
  EXPECT_EQ(lines_[3], "end");
}

TEST_F(LineReaderTest, HandsOutAnUnfinishedLineAtTheEnd) {
  ASSERT_EQ(write(write_.get(), "a\nlast", 6), 6);
  reader_->finish(1000);
  EXPECT_EQ(lines_, (std::vector<std::string>{"a", "last"}));
  reader_->finish(1000);
  EXPECT_EQ(lines_.size(), 2U);
}

}  // namespace
}  // namespace pilotlight::local
