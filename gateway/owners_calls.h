// What an Owners asks replicas and other gateways. Internal to owners*.cc; of the Owners' loop.
#pragma once

#include "gateway/owners.h"

namespace pilotlight::gateway {

/// One question to a replica: what runs there, and nothing lower than this ticket from now on.
class Owners::Asking final : public net::ClientHandler {
 public:
  Asking(Owners& owners, std::shared_ptr<FunctionEntry> entry, FunctionEntry::Question question);
  ~Asking();
  void onHead(const net::ResponseHead& head) override;
  void onBody(std::string_view part) override;
  void onEnd(std::span<const net::Header> trailers) override;
  void onFailure(net::ClientFailure failure) override;

 private:
  using Says = FunctionEntry::Says;
  friend class Owners;
  std::chrono::milliseconds unknown(bool nobodyThere);
  void end(std::chrono::milliseconds again);

  Owners& owners_;
  const std::shared_ptr<FunctionEntry> entry_;
  const FunctionEntry::Question question_;
  net::Timer timer_;
  net::ClientCall* call_ = nullptr;
  int status_ = 0;
  std::int64_t epoch_ = 0;  // that the replica was told of
  bool knows_ = false;
  Says says_ = Says::refuses;
  std::string text_;
};

/// Whether another gateway answers.
class Owners::Ping final : public net::ClientHandler {
 public:
  Ping(Owners& owners, std::string gateway, const net::Address& address);
  ~Ping();
  void onHead(const net::ResponseHead&) override {}
  void onBody(std::string_view) override {}
  void onEnd(std::span<const net::Header> trailers) override;
  void onFailure(net::ClientFailure failure) override;

 private:
  void end(bool answered);

  Owners& owners_;
  const std::string gateway_;
  net::Timer timer_;
  net::ClientCall* call_ = nullptr;
};

}  // namespace pilotlight::gateway
