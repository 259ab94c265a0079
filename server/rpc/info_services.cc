#include "server/rpc/info_services.h"

#include <utility>

#include "engine/io/presets/catalog.h"

namespace tokensim {

CatalogServiceImpl::CatalogServiceImpl(const CallEnvironment& calls, ServerMetrics& metrics)
    : calls_(calls),
      get_catalog_(metrics.AddMethod("tokensim.v1.CatalogService", "GetCatalog", false)) {}

grpc::ServerUnaryReactor* CatalogServiceImpl::GetCatalog(grpc::CallbackServerContext* context,
                                                         const v1::GetCatalogRequest* request,
                                                         v1::Catalog* response) {
  return ServeUnary(calls_, get_catalog_, context, request, response,
                    [](const v1::GetCatalogRequest&, v1::Catalog* out) {
                      *out = BuildCatalog();
                      return absl::OkStatus();
                    });
}

ServerServiceImpl::ServerServiceImpl(const CallEnvironment& calls,
                                     std::function<v1::ServerInfo()> info, ServerMetrics& metrics)
    : calls_(calls),
      info_(std::move(info)),
      get_server_info_(metrics.AddMethod("tokensim.v1.ServerService", "GetServerInfo", false)) {}

grpc::ServerUnaryReactor* ServerServiceImpl::GetServerInfo(grpc::CallbackServerContext* context,
                                                           const v1::GetServerInfoRequest* request,
                                                           v1::ServerInfo* response) {
  return ServeUnary(calls_, get_server_info_, context, request, response,
                    [this](const v1::GetServerInfoRequest&, v1::ServerInfo* out) {
                      *out = info_();
                      return absl::OkStatus();
                    });
}

}  // namespace tokensim
