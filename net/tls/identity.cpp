#include "identity.h"

#include <cerrno>
#include <cstdio>

#include <openssl/pem.h>

#include "plait/offload.h"

namespace plait::net {
namespace detail {
namespace {

// An encrypted key is an error: nobody is there to be asked for its password.
int noPassword(char*, int, int, void*) { return -1; }

CertificatePointer readCertificate(BIO& bio) {
  return CertificatePointer(::PEM_read_bio_X509(&bio, nullptr, &noPassword, nullptr));
}

// The end of the PEM text is an error in the queue, and no error.
bool isEndOfPem() {
  const unsigned long code = ::ERR_peek_last_error();
  return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

template <class F>
void forEachCertificate(const std::string& pem, const char* what, F&& use) {
  ::ERR_clear_error();
  const BioPointer bio = memoryBio(pem);
  std::size_t count = 0;
  while (CertificatePointer each = readCertificate(*bio)) {
    use(*each);
    ++count;
  }
  if (count == 0 || !isEndOfPem()) throwTlsError(std::string("reading ") + what + " from PEM");
  ::ERR_clear_error();
}

}  // namespace

void useIdentity(SSL_CTX& context, const TlsIdentity& identity) {
  ::SSL_CTX_clear_extra_chain_certs(&context);
  ::SSL_CTX_clear_chain_certs(&context);
  bool isFirst = true;
  forEachCertificate(identity.certificates, "a certificate", [&](X509& each) {
    const bool isTaken = isFirst ? ::SSL_CTX_use_certificate(&context, &each) == 1
                                 : ::SSL_CTX_add1_chain_cert(&context, &each) == 1;
    isFirst = false;
    if (!isTaken) throwTlsError("using a certificate");
  });
  const BioPointer bio = memoryBio(identity.key);
  const KeyPointer key(::PEM_read_bio_PrivateKey(bio.get(), nullptr, &noPassword, nullptr));
  if (!key) throwTlsError("reading a private key from PEM (an encrypted one cannot be read)");
  if (::SSL_CTX_use_PrivateKey(&context, key.get()) != 1 ||
      ::SSL_CTX_check_private_key(&context) != 1) {
    throwTlsError("using a private key with its certificate");
  }
}

void trustAuthorities(SSL_CTX& context, const std::string& pem) {
  X509_STORE* const store = ::SSL_CTX_get_cert_store(&context);
  forEachCertificate(pem, "the certificates of authorities", [store](X509& each) {
    if (::X509_STORE_add_cert(store, &each) != 1) throwTlsError("trusting an authority");
  });
}

void nameAuthorities(SSL_CTX& context, const std::string& pem) {
  forEachCertificate(pem, "the certificates of authorities", [&context](X509& each) {
    if (::SSL_CTX_add_client_CA(&context, &each) != 1) throwTlsError("naming an authority");
  });
}

std::string toPem(X509* certificate) {
  if (certificate == nullptr) return {};
  const BioPointer bio(::BIO_new(::BIO_s_mem()));
  return ::PEM_write_bio_X509(bio.get(), certificate) == 1 ? contentOf(*bio) : std::string();
}

std::string commonNameOf(const X509* certificate) {
  if (certificate == nullptr) return {};
  X509_NAME* const subject = ::X509_get_subject_name(certificate);
  const int index = ::X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  const ASN1_STRING* const name = ::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, index));
  unsigned char* text = nullptr;
  const int bytes = ::ASN1_STRING_to_UTF8(&text, name);
  if (bytes < 0) return {};
  std::string result(reinterpret_cast<const char*>(text), static_cast<std::size_t>(bytes));
  OPENSSL_free(text);
  return result;
}

namespace {

// Blocks; for a thread of the pool.
std::string readWhole(const std::string& path) {
  struct Closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Closer> file(std::fopen(path.c_str(), "rbe"));
  if (!file) throw IoError(errno, "opening " + path);
  std::string text;
  char block[4096];
  while (const std::size_t count = std::fread(block, 1, sizeof block, file.get())) {
    text.append(block, count);
  }
  if (std::ferror(file.get()) != 0) throw IoError(errno, "reading " + path);
  return text;
}

}  // namespace

std::string loadPem(const std::string& path) {
  return offload([&path] { return readWhole(path); });
}

}  // namespace detail

TlsIdentity TlsIdentity::load(std::string certificateFile, std::string keyFile) {
  return {detail::loadPem(certificateFile), detail::loadPem(keyFile), {}};
}

}  // namespace plait::net
