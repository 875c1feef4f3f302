// What the supervisor tells pilotlight-native-host. Both come from one build, so this may change at any time.
#pragma once

namespace pilotlight::shim {

inline constexpr const char* kEnvListenFd = "PILOTLIGHT_LISTEN_FD";      ///< the inherited listening socket
inline constexpr const char* kEnvStatusFd = "PILOTLIGHT_STATUS_FD";      ///< the host writes "ready\n" / "unready\n" there
inline constexpr const char* kEnvBegun = "PILOTLIGHT_BEGUN_NS";          ///< when the shim began, by the steady clock
inline constexpr const char* kEnvRestarts = "PILOTLIGHT_HOST_RESTARTS";  ///< how often the host has crashed, for its metrics

}  // namespace pilotlight::shim
