// tokensim.v1.CatalogService and tokensim.v1.ServerService.
#pragma once

#include <functional>

#include "server/rpc/unary_call.h"
#include "tokensim/v1/catalog_service.grpc.pb.h"
#include "tokensim/v1/server_service.grpc.pb.h"

namespace tokensim {

class CatalogServiceImpl final : public v1::CatalogService::CallbackService {
 public:
  CatalogServiceImpl(const CallEnvironment& calls, ServerMetrics& metrics);
  grpc::ServerUnaryReactor* GetCatalog(grpc::CallbackServerContext* context,
                                       const v1::GetCatalogRequest* request,
                                       v1::Catalog* response) override;

 private:
  const CallEnvironment calls_;
  const MethodMetrics get_catalog_;
};

class ServerServiceImpl final : public v1::ServerService::CallbackService {
 public:
  // `info` is called for each answer, on the executor.
  ServerServiceImpl(const CallEnvironment& calls, std::function<v1::ServerInfo()> info,
                    ServerMetrics& metrics);
  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::ServerInfo* response) override;

 private:
  const CallEnvironment calls_;
  const std::function<v1::ServerInfo()> info_;
  const MethodMetrics get_server_info_;
};

}  // namespace tokensim
