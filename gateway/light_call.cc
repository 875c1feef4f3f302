#include "gateway/light_call.h"

#include <array>
#include <utility>

#include "api/shim_contract.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

LightCall::LightCall(Worker& worker, std::shared_ptr<FunctionEntry> entry, FunctionEntry::Dark replica)
    : worker_(worker), entry_(std::move(entry)), replica_(std::move(replica)), host_(replica_.address.toString()), timer_([this] {
        onTimer();
      }) {
  send();
}

LightCall::~LightCall() {
  if (call_) call_->cancel();
}

void LightCall::send() {
  status_ = 0;
  const std::array headers{net::Header{"Host", host_}};
  call_ = worker_.pool().call(replica_.address, {.method = "POST", .target = contract::kShimLight, .headers = headers}, *this, true);
  call_->finish();
  worker_.loop().arm(timer_, worker_.shared().options.lightTimeout);
}

void LightCall::onTimer() {
  if (!call_) return send();
  std::exchange(call_, nullptr)->cancel();
  failed();
}

void LightCall::onEnd(std::span<const net::Header>) {
  call_ = nullptr;
  if (status_ != 200) return failed();
  entry_->counters().lights.fetch_add(1, std::memory_order_relaxed);
  entry_->lit(replica_.uid);
  if (entry_->limited()) worker_.shared().owners.look(entry_);
  worker_.ended(*this);
}

void LightCall::onFailure(net::ClientFailure) {
  call_ = nullptr;
  failed();
}

void LightCall::failed() {
  const auto pause = entry_->lightFailed(replica_.uid, worker_.shared().options.pauses);
  worker_.lightOrWake(entry_);  // another one, if there is
  if (!pause) return worker_.ended(*this);
  worker_.loop().arm(timer_, *pause);
}

}  // namespace pilotlight::gateway
