#include "certificates.h"

#include <memory>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace plait::test {
namespace {

struct Free {
  void operator()(X509* each) const { ::X509_free(each); }
  void operator()(EVP_PKEY* each) const { ::EVP_PKEY_free(each); }
  void operator()(BIO* each) const { ::BIO_free(each); }
  void operator()(X509_EXTENSION* each) const { ::X509_EXTENSION_free(each); }
};
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

void require(bool fact, const char* what) {
  if (!fact) throw std::runtime_error(std::string("making a certificate: ") + what);
}

template <class Write>
std::string pemOf(Write write) {
  const std::unique_ptr<BIO, Free> bio(::BIO_new(::BIO_s_mem()));
  require(write(bio.get()) == 1, "PEM");
  char* start = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &start);
  return {start, static_cast<std::size_t>(bytes)};
}

std::string pemOf(const Certificate& certificate) {
  return pemOf([&](BIO* bio) { return ::PEM_write_bio_X509(bio, certificate.get()); });
}

void extend(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  ::X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free> extension(
      ::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension != nullptr, value.c_str());
  ::X509_add_ext(certificate, extension.get(), -1);
}

Certificate begin(const std::string& commonName, EVP_PKEY* key, int daysFromNow) {
  static long serial = 0;
  Certificate made(::X509_new());
  ::X509_set_version(made.get(), 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), ++serial);
  ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), -2L * 86'400 * 365);
  ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), 86'400L * daysFromNow);
  ::X509_set_pubkey(made.get(), key);
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(commonName.c_str()), -1, -1,
                               0);
  return made;
}

}  // namespace

struct Authority::Keys {
  Key key;
  Certificate certificate;
};

Authority::Authority(const std::string& name)
    : keys_(new Keys{Key(::EVP_EC_gen("P-256")), nullptr}) {
  keys_->certificate = begin(name, keys_->key.get(), 30);
  X509* const mine = keys_->certificate.get();
  ::X509_set_issuer_name(mine, ::X509_get_subject_name(mine));
  extend(mine, NID_basic_constraints, "critical,CA:TRUE");
  extend(mine, NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(mine, NID_subject_key_identifier, "hash");
  require(::X509_sign(mine, keys_->key.get(), ::EVP_sha256()) > 0, "signature");
}

Authority::~Authority() { delete keys_; }

std::string Authority::pem() const { return pemOf(keys_->certificate); }

net::TlsIdentity Authority::sign(const Wish& wish) const {
  const Key key(::EVP_EC_gen("P-256"));
  const Certificate made = begin(wish.names.front(), key.get(), wish.daysFromNow);
  ::X509_set_issuer_name(made.get(), ::X509_get_subject_name(keys_->certificate.get()));
  std::string names;
  for (const std::string& each : wish.names) names += (names.empty() ? "DNS:" : ",DNS:") + each;
  for (const std::string& each : wish.addresses) names += ",IP:" + each;
  extend(made.get(), NID_subject_alt_name, names);
  extend(made.get(), NID_basic_constraints, "critical,CA:FALSE");
  require(::X509_sign(made.get(), keys_->key.get(), ::EVP_sha256()) > 0, "signature");
  return {pemOf(made),
          pemOf([&](BIO* bio) {
            return ::PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr,
                                              nullptr);
          }),
          {}};
}

const Authority& testAuthority() {
  static const Authority authority;
  return authority;
}

net::TlsIdentity localhostIdentity() {
  static const net::TlsIdentity identity = testAuthority().sign();
  return identity;
}

net::TlsClientOptions clientOptions() { return {.authorities = testAuthority().pem()}; }
net::TlsServerOptions serverOptions() { return {.identity = localhostIdentity()}; }

}  // namespace plait::test
