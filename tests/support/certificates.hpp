// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace support {

/// Certificate and key in PEM files.
struct CertificateFiles {
  std::string certificate;
  std::string key;
};

/// A private CA and what it issued, made on the spot: nothing that can expire lies in the repository. Every
/// server answers for localhost and 127.0.0.1 unless it is named otherwise.
class Certificates {
 public:
  Certificates() {
    std::string pattern = (std::filesystem::temp_directory_path() / "satchel-certificates-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp failed"};
    folder_ = pattern;
    authority_ = issue({"authority", "", 0, 3600, true, false}, nullptr);
    other_authority_ = issue({"other-authority", "", 0, 3600, true, false}, nullptr);
    ca_file_ = write("ca", authority_).certificate;
    other_ca_file_ = write("other-ca", other_authority_).certificate;
  }
  ~Certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  const std::string& ca_file() const noexcept { return ca_file_; }
  /// Has issued nothing.
  const std::string& other_ca_file() const noexcept { return other_ca_file_; }

  CertificateFiles server() { return make({"server", kLocal, 0, 3600}); }
  CertificateFiles named(const std::string& alternative_names) {
    return make({"named", alternative_names, 0, 3600});
  }
  CertificateFiles wrong_name() { return named("DNS:elsewhere.example"); }
  CertificateFiles expired() { return make({"expired", kLocal, -7200, -3600}); }
  CertificateFiles not_yet_valid() { return make({"not-yet-valid", kLocal, 3600, 7200}); }
  CertificateFiles self_signed() {
    return write("self-signed", issue({"self-signed", kLocal, 0, 3600}, nullptr));
  }
  CertificateFiles client() { return make({"client", "", 0, 3600, false, true}); }
  CertificateFiles client_of_other_authority() {
    return write("other-client", issue({"other-client", "", 0, 3600, false, true}, &other_authority_));
  }

 private:
  static constexpr const char* kLocal = "DNS:localhost,IP:127.0.0.1";

  struct Wish {
    std::string name;
    std::string alternative_names;
    long from;  ///< seconds from now
    long until;
    bool authority = false;
    bool client = false;
  };
  struct KeyDeleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  struct CertificateDeleter {
    void operator()(X509* certificate) const { X509_free(certificate); }
  };
  struct Issued {
    std::unique_ptr<EVP_PKEY, KeyDeleter> key;
    std::unique_ptr<X509, CertificateDeleter> certificate;
  };
  struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  static void demand(bool done) {
    if (!done) throw std::runtime_error{"a certificate cannot be made"};
  }

  static void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    demand(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }

  Issued issue(const Wish& wish, const Issued* issuer) {
    Issued issued{std::unique_ptr<EVP_PKEY, KeyDeleter>{EVP_EC_gen("P-256")},
                  std::unique_ptr<X509, CertificateDeleter>{X509_new()}};
    X509* certificate = issued.certificate.get();
    demand(issued.key != nullptr && certificate != nullptr);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    // A minute of slack: the test's clock and the file system's may differ.
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.from - 60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wish.until);
    X509_set_pubkey(certificate, issued.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wish.name.c_str()), -1, -1, 0);
    X509* signer = issuer != nullptr ? issuer->certificate.get() : certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(signer));
    add_extension(certificate, signer, NID_basic_constraints,
                  wish.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!wish.alternative_names.empty()) {
      add_extension(certificate, signer, NID_subject_alt_name, wish.alternative_names);
    }
    if (wish.client) add_extension(certificate, signer, NID_ext_key_usage, "clientAuth");
    demand(X509_sign(certificate, issuer != nullptr ? issuer->key.get() : issued.key.get(), EVP_sha256()) !=
           0);
    return issued;
  }

  CertificateFiles write(const std::string& name, const Issued& issued) {
    const std::string stem = (folder_ / (std::to_string(++written_) + "-" + name)).string();
    CertificateFiles files{stem + ".pem", stem + ".key"};
    const std::unique_ptr<std::FILE, FileCloser> certificate{std::fopen(files.certificate.c_str(), "w")};
    const std::unique_ptr<std::FILE, FileCloser> key{std::fopen(files.key.c_str(), "w")};
    demand(certificate && key && PEM_write_X509(certificate.get(), issued.certificate.get()) == 1 &&
           PEM_write_PrivateKey(key.get(), issued.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return files;
  }

  CertificateFiles make(const Wish& wish) { return write(wish.name, issue(wish, &authority_)); }

  std::filesystem::path folder_;
  Issued authority_;
  Issued other_authority_;
  std::string ca_file_;
  std::string other_ca_file_;
  long serial_ = 0;
  int written_ = 0;
};

}  // namespace support
