// What a Places does for one function. Internal to places.cc and place_asker.cc; of the Places' loop.
#pragma once

#include "gateway/places.h"

namespace pilotlight::gateway {

/// Tells what waits here to the gateway that counts, until nothing does.
class Places::Asker final : public net::ClientHandler {
 public:
  Asker(Places& places, std::shared_ptr<FunctionEntry> entry);
  ~Asker();
  const FunctionEntry& entry() const { return *entry_; }
  void changed();

  void onHead(const net::ResponseHead& head) override;
  void onBody(std::string_view part) override;
  void onEnd(std::span<const net::Header> trailers) override;
  void onFailure(net::ClientFailure failure) override;

 private:
  enum class State : std::uint8_t {
    told,     // nothing new; ends when nothing waits
    pausing,  // about to ask
    asking,   // for an answer
    ending,   // for the end of the stream
  };
  void onTimer();
  void ask();
  void askThere(const Owners::Choice& choice);
  void open(const Owners::Choice& choice);
  void answered(const std::optional<core::Waiting>& places);
  void wait(State state, std::chrono::milliseconds time);
  void later();
  void end();
  void hangUp();

  Places& places_;
  const std::shared_ptr<FunctionEntry> entry_;
  State state_ = State::told;
  bool dirty_ = false;  // something has changed while it was asking, or ending
  std::chrono::milliseconds pause_;
  core::Claim claim_;
  net::Timer timer_;
  net::ClientCall* call_ = nullptr;
  std::string gateway_;  // where it goes
  int status_ = 0;
  std::string line_;
};

}  // namespace pilotlight::gateway
